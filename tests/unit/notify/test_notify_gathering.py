"""A power cut is told once: its fridges neither before it nor after it, but for what is graver than all before."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from domain.alarms import AlarmKey, AlarmState, EventKind, Priority, Reason, Transition
from domain.episodes import episodes
from domain.incidents import IncidentPlan
from domain.readings import Quality
from domain.records import Latest, Revision, TransitionFilter
from domain.times import DAY, MINUTE
from notify.channels import Answer
from notify.decide import Action, Verdict, Why
from notify.gathering import weigh
from notify.message import Message
from notify.worker import Worker
from tests.unit.domain.test_incidents import DEAD, JUDGED, SCHOOL, SILENT
from tests.unit.notify.test_notify_worker import FakeOutbox

T0 = 1_780_000_000_000
PAGE = Verdict(Action.PAGE, Why.RAISED)
PLAN = IncidentPlan((DEAD, SILENT), SCHOOL, JUDGED)


def raised(number: int, rule: str, point: str, minute: float, *, priority: Priority = Priority.HIGH) -> Transition:
    at = T0 + int(minute * MINUTE)
    return Transition(
        "school", AlarmKey(rule, point), EventKind.RAISE, AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED,
        Reason.ABOVE_LIMIT, priority, 0, 9.0, at, at, False, id=number,
    )  # fmt: skip


def cut(number: int = 1, minute: float = 0) -> Transition:
    return raised(number, "no-power", "board-n/power", minute)


def warm(number: int, fridge: int, minute: float, priority: Priority = Priority.HIGH) -> Transition:
    return raised(number, "warm", f"fridge-{fridge}/temperature", minute, priority=priority)


def silent(number: int, fridge: int, minute: float) -> Transition:
    return raised(number, "no-data", f"fridge-{fridge}/temperature", minute, priority=Priority.MEDIUM)


def decided(
    one: Transition, *log: Transition, minute: float, may_wait: bool = True, verdict: Verdict = PAGE
) -> tuple[str, str]:
    now = T0 + int(minute * MINUTE)
    weighed, incident = weigh(one, verdict, PLAN, episodes(log), now, may_wait)
    return str(weighed), "" if incident is None else incident.rule.id


def test_an_alarm_that_no_incident_could_claim_is_told_at_once() -> None:
    pump = raised(1, "fault", "stranger/status", 0)
    assert decided(pump, pump, minute=0) == ("page: raised", "")


def test_a_possible_child_waits_for_its_cause_for_the_settle_time() -> None:
    one = warm(1, 1, 0)
    assert decided(one, one, minute=0.9) == ("wait: may_have_a_cause", "")
    assert decided(one, one, minute=1) == ("page: raised", "")
    assert decided(one, one, minute=0.9, may_wait=False) == ("page: raised", "")


def test_the_cause_does_not_wait_and_is_told_as_the_incident() -> None:
    assert decided(cut(), cut(), minute=0) == ("page: incident", "dead")


def test_a_child_that_came_just_before_its_cause_is_not_told() -> None:
    child = warm(1, 1, 0)
    assert decided(child, child, cut(2, 0.5), minute=0.6) == ("none: in_incident", "dead")


def test_later_children_are_not_told_unless_they_are_graver_than_all_before() -> None:
    log = [cut(), warm(2, 1, 30), warm(3, 2, 31, Priority.URGENT), warm(4, 2, 40, Priority.URGENT)]
    log[3] = replace(log[3], key=AlarmKey("hot", "fridge-2/temperature"))
    assert [decided(one, *log, minute=50)[0] for one in log] == [
        "page: incident", "none: in_incident", "page: incident_graver", "none: in_incident",
    ]  # fmt: skip


def test_a_step_up_of_a_child_that_becomes_the_gravest_is_told() -> None:
    step = replace(warm(3, 1, 60, Priority.URGENT), event=EventKind.STEP_UP, source=AlarmState.UNACKNOWLEDGED)
    log = (cut(), warm(2, 1, 30), step)
    assert decided(step, *log, minute=61) == ("page: incident_graver", "dead")
    assert decided(replace(step, priority=Priority.HIGH), *log, minute=61) == ("none: in_incident", "dead")


def test_of_a_quorum_the_first_known_is_the_head() -> None:
    log = (silent(1, 1, 0), silent(2, 2, 1), silent(3, 3, 1))
    assert [decided(one, *log, minute=2) for one in log] == [
        ("page: incident", "silent"), ("none: in_incident", "silent"), ("none: in_incident", "silent"),
    ]  # fmt: skip


@pytest.mark.parametrize("verdict", [Verdict(Action.NONE, Why.SHELVED), Verdict(Action.SUMMARY, Why.PAST_EXCURSION)])
def test_what_would_not_be_paged_anyway_is_left_as_it_is(verdict: Verdict) -> None:
    assert decided(warm(1, 1, 0), cut(2, 0), minute=0, verdict=verdict) == (str(verdict), "")


def test_an_overlay_that_was_lifted_is_told_by_itself() -> None:
    lifted = replace(warm(2, 1, 30), event=EventKind.UNSHELVE)
    verdict = Verdict(Action.PAGE, Why.OVERLAY_LIFTED)
    assert decided(lifted, cut(), minute=31, verdict=verdict)[0] == "page: overlay_lifted"


class Outbox(FakeOutbox):
    """With the log of the site and its newest readings."""

    def __init__(self, *log: Transition) -> None:
        super().__init__()
        self.log = list(log)
        self.asked: list[TransitionFilter] = []

    def transitions(self, where: TransitionFilter, limit: int, newest_first: bool = True) -> list[Transition]:
        self.asked.append(where)
        assert newest_first
        return self.log[::-1][:limit]

    def latest(self, site: str) -> list[Latest]:
        now = T0 + 5 * MINUTE
        return [Latest("fridge-1/temperature", now, 6.3, Quality.GOOD, now)]


class Phone:
    """A channel that remembers."""

    name = "phone"

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> Answer:
        self.messages.append(message)
        return Answer(True, "")


def rounds(outbox: Outbox, minutes: Sequence[float], language: str = "en") -> list[Message]:
    phone = Phone()
    worker = Worker(outbox, [phone], language=language, plans=lambda site: PLAN)  # type: ignore[arg-type, list-item]
    for minute in minutes:
        worker.step(T0 + int(minute * MINUTE))
    return phone.messages


def test_a_power_cut_is_one_message_with_what_to_empty_first() -> None:
    log = (warm(1, 1, 0), cut(2, 0.5), warm(3, 2, 30))
    outbox = Outbox(*log)
    outbox.pending = list(log)
    fridges = """
site: {id: school, title: {en: School, zh: 学校}}
areas: [{id: north, title: {en: North}}]
assets:
  - {id: board-n, type: distribution_board, area: north, title: {en: North board, zh: 北配电柜}, points: {power: {}}}
"""
    outbox.revisions["school"] = Revision("school", 1, (("site.yaml", fridges),), 0, "x")
    (message,) = rounds(outbox, [31])
    first, *_ = message.body.splitlines()
    assert first == "dead (North board): 3 alarms with one cause."
    assert {notice.transition_id: notice.decision for notice in outbox.settled} == {
        1: "none: in_incident", 2: "page: incident", 3: "none: in_incident",
    }  # fmt: skip


def test_the_units_are_named_with_the_time_that_is_left() -> None:
    kinds = {"fridge-1": "refrigerator", "fridge-2": "freezer"}
    assets = tuple(replace(one, type=kinds.get(one.id, one.type)) for one in SCHOOL.assets)
    plan = IncidentPlan(PLAN.rules, replace(SCHOOL, assets=assets), JUDGED)
    outbox = Outbox(cut(1, 0))
    outbox.pending = [cut(1, 0)]
    for language, said in (
        ("en", "Empty first: fridge-2 (temperature not known); fridge-1 (about 60 min)."),
        ("zh", "优先转移：fridge-2（温度未知）；fridge-1（约 60 分钟）。"),
    ):
        phone = Phone()
        outbox.pending = [cut(1, 0)]
        worker = Worker(outbox, [phone], language=language, plans=lambda site: plan)  # type: ignore[arg-type, list-item]
        worker.step(T0 + 5 * MINUTE)
        assert said in phone.messages[0].body.splitlines()


def test_the_log_is_read_once_a_round_and_only_when_somebody_would_be_paged() -> None:
    outbox = Outbox(cut(1, 0), warm(2, 1, 0), warm(3, 2, 0))
    outbox.pending = list(outbox.log)
    rounds(outbox, [2])
    assert [(one.site, one.start) for one in outbox.asked] == [("school", T0 + 2 * MINUTE - 3 * DAY)]
    quiet = Outbox()
    quiet.pending = [replace(cut(1, 0), event=EventKind.STEP_DOWN)]
    rounds(quiet, [2])
    assert quiet.asked == []


def test_a_child_waits_and_is_told_by_itself_when_no_cause_comes() -> None:
    outbox = Outbox(warm(1, 1, 0))
    outbox.pending = list(outbox.log)
    assert rounds(outbox, [0.2, 0.5]) == []
    assert len(rounds(outbox, [0.2, 0.5, 1.1])) == 1
