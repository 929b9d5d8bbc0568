"""When nobody answers, others are told: each role once, at its time, over restarts; and nobody of what was answered."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.catalogue_file import load_catalogue
from domain.incidents import AlarmCause, Gathers, IncidentPlan, IncidentRule
from domain.records import Commit, TransitionFilter
from domain.times import MINUTE
from notify.escalate import MOST_LOG, unanswered_since
from notify.recipients import Recipients
from notify.worker import Worker
from store.operational.store import OperationalStore
from tests.unit.notify.test_notify_worker import NO, FakeChannel

NOON = 1_780_000_000_000
COLD = AlarmKey("cold-high", "fridge-1/temperature")
BOARD = AlarmKey("no-power", "board-1/power")
SITE = """\
site: {id: school, title: {en: Sunshine School, zh: 阳光小学}, timezone: Asia/Shanghai}
areas: [{id: kitchen}]
assets:
  - {id: board-1, type: distribution_board, area: kitchen, points: {power: {}}}
  - id: fridge-1
    type: refrigerator
    area: kitchen
    fed_by: board-1
    title: {en: Fridge 1, zh: 1号冷藏柜}
    points: {temperature: {}}
"""
RULES = {
    "cold-high": (("canteen_manager", 0), ("maintenance", 15 * MINUTE), ("head", 60 * MINUTE)),
    "no-power": (("maintenance", 20 * MINUTE),),
}
CATALOGUE = load_catalogue(SITE, "site.yaml")
DEAD = IncidentRule("dead", AlarmCause("no-power"), Gathers.FED_BY)
PLAN = IncidentPlan((DEAD,), CATALOGUE, {"no-power": frozenset({"board-1/power"})})

Make = Callable[..., "School"]


class School:
    """A store, two phones, and a notify that can be started anew."""

    def __init__(self, store: OperationalStore, plan: IncidentPlan | None, *answers: object) -> None:
        self.store, self.plan, self.now = store, plan, NOON
        self.common, self.fitter = FakeChannel("common"), FakeChannel("maintenance-sms-1", *answers)  # type: ignore[arg-type]
        self.restart()

    def restart(self) -> None:
        told = Recipients((self.common,), {"maintenance": (self.fitter,)})
        self.worker = Worker(
            self.store, told, language="en", plans=lambda site: self.plan,
            escalations=lambda site, rule: RULES.get(rule, ()),
        )  # fmt: skip

    def happens(self, kind: EventKind, key: AlarmKey = COLD, **more: object) -> None:
        known = {"priority": Priority.HIGH, "level": 0, "value": 9.25, "since": self.now, **more}
        event = AlarmEvent(kind, key, Reason.ABOVE_LIMIT, self.now, self.now, **known)  # type: ignore[arg-type]
        self.store.commit(Commit("school", "worker", 1, self.now, events=(event,)))

    def does(self, kind: EventKind, key: AlarmKey = COLD, **said: object) -> None:
        event = AlarmEvent(kind, key, Reason.BY_PERSON, self.now, self.now, by="duty", **said)  # type: ignore[arg-type]
        self.store.command("school", event)

    def until(self, minute: float) -> None:
        """Live on to that minute after noon, a round a minute and one at the end."""
        end = NOON + int(minute * MINUTE)
        while self.now < end:
            self.now = min(end, self.now + MINUTE)
            self.worker.step(self.now)

    def told(self) -> list[tuple[str, str]]:
        """Channel and first words of every message."""
        return [
            (channel.name, message.title.partition(":")[0])
            for channel in (self.common, self.fitter)
            for message in channel.sent
        ]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    store = OperationalStore(f"sqlite:///{tmp_path / 'operational.db'}")
    store.apply_site("school", (("site.yaml", SITE),), "test", NOON)
    store.commission("school", NOON - 1, "test", NOON)
    assert store.acquire("school", "worker", NOON, 3_600_000_000) == 1
    with structlog.testing.capture_logs():
        yield lambda plan=None, *answers: School(store, plan, *answers)
    store.close()


PAGED = ("common", "Alarm (high)")
ESCALATED = ("maintenance-sms-1", "Unanswered")
TO_THE_HEAD = ("common", "Unanswered")


def test_the_later_roles_are_told_at_their_time_and_each_once(make: Make) -> None:
    school = make()
    school.happens(EventKind.RAISE)
    school.until(14.9)
    assert school.told() == [PAGED]
    school.until(15.1)
    assert school.told() == [PAGED, ESCALATED]
    message = school.fitter.sent[0]
    assert message.title == "Unanswered: Alarm (high): Sunshine School, Fridge 1"
    first, second = message.body.splitlines()
    assert first == "Nobody has answered for 15 min. This goes to: maintenance."
    assert second.startswith("Fridge 1 · temperature: 9.25 °C, above the limit (cold-high), since")
    school.until(180)
    assert school.told() == [PAGED, TO_THE_HEAD, ESCALATED]
    assert "This goes to: head." in school.common.sent[1].body


def test_a_restart_neither_forgets_nor_doubles(make: Make) -> None:
    school = make()
    school.happens(EventKind.RAISE)
    school.until(10)
    school.restart()
    school.until(16)
    for _ in range(3):
        school.restart()
        school.until(school.now / MINUTE - NOON / MINUTE + 2)
    assert school.told() == [PAGED, ESCALATED]
    school.restart()
    school.until(61)
    assert school.told() == [PAGED, TO_THE_HEAD, ESCALATED]


def test_notify_that_was_down_at_the_time_tells_late_rather_than_never(make: Make) -> None:
    school = make()
    school.happens(EventKind.RAISE)
    school.until(1)
    school.now = NOON + 40 * MINUTE
    school.restart()
    school.until(41)
    assert school.told() == [PAGED, ESCALATED]
    assert "for 41 min" in school.fitter.sent[0].body


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (EventKind.ACKNOWLEDGE, {}),
        (EventKind.SILENCE, {}),
        (EventKind.SHELVE, {"note": "repair", "until": NOON + 300 * MINUTE}),
        (EventKind.SUPPRESS, {"note": "explained", "until": None}),
    ],
)
def test_what_was_answered_silenced_or_set_aside_goes_no_further(
    make: Make, kind: EventKind, said: dict[str, object]
) -> None:
    school = make()
    school.happens(EventKind.RAISE)
    school.until(14)
    school.does(kind, **said)
    school.until(120)
    assert ESCALATED not in school.told()
    assert TO_THE_HEAD not in school.told()


def test_an_asset_out_of_service_goes_no_further(make: Make) -> None:
    school = make()
    school.happens(EventKind.RAISE)
    school.until(14)
    school.store.remove_from_service("school", "fridge-1", "duty", "repair", None, school.now)
    school.until(120)
    assert school.told() == [PAGED]


def test_what_is_over_goes_no_further_but_a_held_one_does(make: Make) -> None:
    school = make()
    school.happens(EventKind.RAISE)
    school.until(5)
    school.happens(EventKind.CLEAR)
    school.until(30)
    assert ESCALATED not in school.told()
    held = AlarmKey("cold-high", "board-1/power")
    school.happens(EventKind.RAISE, held)
    school.happens(EventKind.CLEAR, held, latching=True)
    school.until(50)
    assert school.told().count(ESCALATED) == 1


def test_one_that_comes_and_goes_unanswered_counts_from_its_first_page(make: Make) -> None:
    school = make()
    for minute in (0, 4, 8, 12):
        school.until(minute)
        school.happens(EventKind.RAISE)
        school.until(minute + 2)
        school.happens(EventKind.CLEAR)
    school.until(14.5)
    school.happens(EventKind.RAISE)
    school.until(15.5)
    assert school.told().count(ESCALATED) == 1
    assert "for 15 min" in school.fitter.sent[0].body


def test_an_answer_starts_the_time_anew(make: Make) -> None:
    school = make()
    school.happens(EventKind.RAISE)
    school.until(10)
    school.does(EventKind.ACKNOWLEDGE)
    school.until(40)
    school.happens(EventKind.STEP_UP, level=1, priority=Priority.URGENT)  # it got worse: it wants an answer again
    school.until(54)
    assert ESCALATED not in school.told()
    school.until(56)
    assert school.told().count(ESCALATED) == 1


def test_what_comes_off_the_shelf_counts_from_then(make: Make) -> None:
    school = make()
    school.happens(EventKind.RAISE)
    school.until(5)
    school.does(EventKind.SHELVE, note="repair", until=NOON + 60 * MINUTE)
    school.until(74)
    assert school.told() == [PAGED, PAGED]  # told as if it were new
    school.until(76)
    assert school.told() == [PAGED, PAGED, ESCALATED]


def test_before_commissioning_nobody_is_told(make: Make) -> None:
    school = make()
    school.happens(EventKind.RAISE, answer_required=False)
    school.until(120)
    assert school.told() == []


def test_a_child_follows_its_incident(make: Make) -> None:
    school = make(PLAN)
    school.happens(EventKind.RAISE, BOARD, priority=Priority.URGENT)
    school.until(3)
    school.happens(EventKind.RAISE)
    school.until(19)
    assert school.told() == [("common", "Alarm (urgent)")]  # not the fridge, though its 15 minutes are over
    school.until(40)
    assert school.told() == [("common", "Alarm (urgent)"), ESCALATED]
    assert "dead (board-1): 2 alarms with one cause." in school.fitter.sent[0].body
    school.until(120)
    assert len(school.told()) == 2


def test_with_its_incident_answered_a_child_is_quiet_too(make: Make) -> None:
    school = make(PLAN)
    school.happens(EventKind.RAISE, BOARD, priority=Priority.URGENT)
    school.until(3)
    school.happens(EventKind.RAISE)
    school.until(4)
    school.does(EventKind.ACKNOWLEDGE, BOARD)
    school.until(120)
    assert school.told() == [("common", "Alarm (urgent)")]


def test_a_page_that_is_still_being_tried_does_not_hold_the_escalation_up(make: Make) -> None:
    school = make()
    school.common.answers = [NO] * 500
    school.happens(EventKind.RAISE)
    school.until(16)
    assert list(school.store.notices(9)) == []  # not settled
    assert ESCALATED in school.told()


def test_an_escalation_that_cannot_be_sent_is_tried_again_until_somebody_answers(make: Make) -> None:
    school = make(None, *[NO] * 500)
    school.happens(EventKind.RAISE)
    school.until(25)
    tries = len(school.fitter.sent)
    assert tries > 2
    school.does(EventKind.ACKNOWLEDGE)
    school.until(60)
    assert len(school.fitter.sent) == tries


def test_a_rule_that_says_nothing_escalates_nothing(make: Make) -> None:
    school = make()
    school.happens(EventKind.RAISE, AlarmKey("gone", "fridge-1/temperature"))
    school.until(120)
    assert school.told() == [PAGED]


def test_the_roles_told_at_once_get_the_page_on_channels_of_their_own(make: Make) -> None:
    school = make()
    told = Recipients((school.common,), {"canteen_manager": (school.fitter,)})
    school.worker = Worker(school.store, told, language="zh", escalations=lambda site, rule: RULES.get(rule, ()))
    school.happens(EventKind.RAISE)
    school.until(16)
    assert [len(school.common.sent), len(school.fitter.sent)] == [2, 1]
    assert school.common.sent[1].body.startswith("已 15 分钟无人确认，现通知：维修人员。")
    (notice,) = school.store.notices(9)
    assert notice.outcome == "common sent; maintenance-sms-1 sent"


def test_a_long_chatter_is_looked_back_on_for_a_bounded_way(make: Make) -> None:
    school = make()
    for _ in range(MOST_LOG):
        school.happens(EventKind.RAISE)
        school.happens(EventKind.CLEAR)
    log = school.store.transitions(TransitionFilter("school"), MOST_LOG)
    assert [one.id for one in unanswered_since(log)] == list(range(MOST_LOG + 1, 2 * MOST_LOG + 1))
    assert unanswered_since([]) == []
