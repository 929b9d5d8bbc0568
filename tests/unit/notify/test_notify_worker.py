"""The loop: each transition is decided once, sent, and settled when the channels have answered."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import structlog

from domain.alarms import Alarm, AlarmKey, AlarmState, EventKind, Priority, Reason, Transition
from domain.records import ProcessRow, Revision, SentNotice
from notify.channels import Answer
from notify.decide import LATE_GRACE
from notify.message import Message
from notify.once import FIRST_RETRY, LONGEST_RETRY, MOST_TRIES
from notify.worker import MOST_UNSETTLED, MOST_WAITING, TAKEN_AT_ONCE, Worker, run

NOON = 1_780_000_000_000
SITE = "site: {id: school, title: {en: Sunshine School, zh: 阳光小学}}"


class FakeOutbox:
    """The seam of `domain.ports.Outbox`, in memory."""

    def __init__(self) -> None:
        self.pending: list[Transition] = []
        self.settled: list[SentNotice] = []
        self.transactions = 0
        self.alarms: dict[tuple[str, AlarmKey], Alarm] = {}
        self.revisions: dict[str, Revision] = {}
        self.beats: list[ProcessRow] = []
        self.lifted_at: list[int] = []

    def pending_notices(self, limit: int) -> list[Transition]:
        return self.pending[:limit]

    def lift_expired(self, now: int) -> tuple[Transition, ...]:
        self.lifted_at.append(now)
        return ()

    def settle_notice(self, notice: SentNotice) -> None:
        self.settle_notices([notice])

    def settle_notices(self, notices: Sequence[SentNotice]) -> None:
        settled = {notice.transition_id for notice in notices}
        assert len(settled) == len(notices), "settled twice at once"
        before = len(self.pending)
        self.pending = [transition for transition in self.pending if transition.id not in settled]
        assert len(self.pending) == before - len(settled), "settled twice, or never there"
        self.settled += notices
        self.transactions += bool(notices)

    def notices(self, limit: int) -> Iterator[SentNotice]:
        return iter(self.settled[::-1][:limit])

    def alarm(self, site: str, key: AlarmKey) -> Alarm | None:
        return self.alarms.get((site, key))

    def site_revision(self, site: str, number: int | None = None) -> Revision | None:
        return self.revisions.get(site)

    def beat(self, process: ProcessRow) -> None:
        self.beats.append(process)

    def put(self, *transitions: Transition) -> None:
        self.pending += transitions

    def log(self) -> list[tuple[int, str, str, str]]:
        return [(notice.transition_id, notice.decision, notice.channel, notice.outcome) for notice in self.settled]


class FakeChannel:
    """Answers from a list; when that is empty, everything is delivered."""

    def __init__(self, name: str, *answers: Answer) -> None:
        self.name = name
        self.answers = list(answers)
        self.sent: list[Message] = []

    def send(self, message: Message) -> Answer:
        self.sent.append(message)
        return self.answers.pop(0) if self.answers else Answer(True)


NO = Answer(False, "error=503")


@pytest.fixture
def outbox() -> FakeOutbox:
    return FakeOutbox()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


def raised(number: int, asset: str = "fridge-1", site: str = "school", **changes: object) -> Transition:
    base = Transition(
        site,
        AlarmKey("cold-high", f"{asset}/temperature"),
        EventKind.RAISE,
        AlarmState.NORMAL,
        AlarmState.UNACKNOWLEDGED,
        Reason.ABOVE_LIMIT,
        Priority.HIGH,
        0,
        9.2,
        NOON,
        NOON,
        False,
        id=number,
    )
    return replace(base, **changes)


def test_an_empty_outbox_sends_nothing(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom")
    Worker(outbox, [channel]).step(NOON)
    assert (channel.sent, outbox.settled) == ([], [])


def test_an_alarm_is_sent_on_every_channel_and_settled_once(outbox: FakeOutbox) -> None:
    log, wecom = FakeChannel("log"), FakeChannel("wecom")
    worker = Worker(outbox, [log, wecom], language="en")
    outbox.put(raised(1))
    for second in range(3):
        worker.step(NOON + second * 1_000)
    assert [len(log.sent), len(wecom.sent)] == [1, 1]
    assert outbox.log() == [(1, "page: raised", "log, wecom", "log sent; wecom sent")]
    assert outbox.settled[0].at == NOON


def test_what_nobody_is_told_of_is_settled_with_its_reason(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom")
    outbox.put(raised(1, answer_required=False), raised(2, event=EventKind.ACKNOWLEDGE))
    Worker(outbox, [channel]).step(NOON)
    assert channel.sent == []
    assert outbox.log() == [(1, "none: no_answer_required", "", ""), (2, "none: command", "", "")]


def test_without_any_channel_it_is_settled_as_that(outbox: FakeOutbox) -> None:
    outbox.put(raised(1))
    Worker(outbox, []).step(NOON)
    assert outbox.log() == [(1, "page: raised", "", "no channel")]


def test_alarms_of_one_moment_are_one_message_per_site(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom")
    outbox.put(raised(1), raised(2, "fridge-2"), raised(3, site="other"))
    Worker(outbox, [channel], language="en").step(NOON)
    assert [(message.site, len(message.body.splitlines())) for message in channel.sent] == [("other", 1), ("school", 2)]
    assert sorted(notice.transition_id for notice in outbox.settled) == [1, 2, 3]


def test_pages_go_before_summaries(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom")
    outbox.put(raised(1, event=EventKind.PAST_RAISE, retroactive=True), raised(2, "fridge-2"))
    Worker(outbox, [channel]).step(NOON)
    assert [message.action.value for message in channel.sent] == ["page", "summary"]


def test_a_channel_that_fails_is_asked_again_alone_with_back_off(outbox: FakeOutbox) -> None:
    log, wecom = FakeChannel("log"), FakeChannel("wecom", NO, NO)
    worker = Worker(outbox, [log, wecom])
    outbox.put(raised(1))
    worker.step(NOON)
    worker.step(NOON + FIRST_RETRY - 1)
    assert (len(wecom.sent), outbox.settled) == (1, [])
    worker.step(NOON + FIRST_RETRY)
    assert (len(wecom.sent), outbox.settled) == (2, [])
    worker.step(NOON + 3 * FIRST_RETRY - 1)
    assert len(wecom.sent) == 2
    worker.step(NOON + 3 * FIRST_RETRY)
    assert (len(log.sent), len(wecom.sent)) == (1, 3)
    assert outbox.log() == [(1, "page: raised", "log, wecom", "log sent; wecom sent")]


def test_a_channel_that_never_answers_is_given_up_and_that_is_logged(outbox: FakeOutbox) -> None:
    log, wecom = FakeChannel("log"), FakeChannel("wecom", *[NO] * 500)
    worker = Worker(outbox, [log, wecom])
    outbox.put(raised(1))
    now = NOON
    with structlog.testing.capture_logs() as lines:
        while not outbox.settled:
            worker.step(now)
            now += LONGEST_RETRY
    assert (len(log.sent), len(wecom.sent)) == (1, MOST_TRIES)
    assert outbox.log() == [(1, "page: raised", "log, wecom", "log sent; wecom failed: error=503")]
    assert lines[-1]["event"] == "given up"
    assert worker.figures() == {"sent": 0, "failed": 1, "unsettled": 0, "waiting": 0}
    worker.step(now)
    assert len(wecom.sent) == MOST_TRIES


def test_an_alarm_of_the_night_is_still_delivered_when_the_internet_comes_back(outbox: FakeOutbox) -> None:
    wecom = FakeChannel("wecom", *[NO] * 40)
    worker = Worker(outbox, [wecom])
    outbox.put(raised(1))
    for minute in range(240):
        worker.step(NOON + minute * 60_000)
    assert outbox.log() == [(1, "page: raised", "wecom", "wecom sent")]
    assert outbox.settled[0].at - NOON > 2 * 3_600_000


def test_new_alarms_are_sent_while_an_older_message_is_being_tried(outbox: FakeOutbox) -> None:
    wecom = FakeChannel("wecom", NO)
    worker = Worker(outbox, [wecom])
    outbox.put(raised(1))
    worker.step(NOON)
    outbox.put(raised(2, "fridge-2"))
    worker.step(NOON + 1_000)
    assert [notice.transition_id for notice in outbox.settled] == [2]


def test_a_channel_that_hangs_costs_each_round_one_attempt_after_the_others_were_served(outbox: FakeOutbox) -> None:
    order: list[str] = []

    class Noting(FakeChannel):
        def send(self, message: Message) -> Answer:
            order.append(self.name)
            return super().send(message)

    hanging, healthy = Noting("hanging", *[NO] * 100), Noting("healthy")
    worker = Worker(outbox, [hanging, healthy])
    outbox.put(*(raised(number, site=f"school-{number}") for number in range(1, 6)))
    worker.step(NOON)
    assert (order.count("hanging"), order.count("healthy")) == (1, 5)
    order.clear()
    outbox.put(raised(6, "fridge-6"))
    worker.step(NOON + 1_000)
    assert order[:2] == ["healthy", "hanging"]
    assert order.count("hanging") == 1


def test_a_message_settles_its_transitions_at_once_and_so_do_those_that_nobody_is_told_of(outbox: FakeOutbox) -> None:
    outbox.put(*(raised(number, f"fridge-{number}") for number in range(1, 6)))
    worker = Worker(outbox, [FakeChannel("wecom")])
    worker.step(NOON)
    assert (len(outbox.settled), outbox.transactions) == (5, 1)
    outbox.put(*(raised(number, f"fridge-{number - 5}") for number in range(6, 11)))  # chatter: nobody is told again
    worker.step(NOON + 1_000)
    assert (len(outbox.settled), outbox.transactions) == (10, 2)


def test_a_process_that_died_between_sending_and_settling_sends_again(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom")
    outbox.put(raised(1))

    class DiedError(RuntimeError):
        pass

    def die(notices: Sequence[SentNotice]) -> None:
        if notices:
            raise DiedError

    settle, outbox.settle_notices = outbox.settle_notices, die  # type: ignore[method-assign]  # the crash
    with pytest.raises(DiedError):
        Worker(outbox, [channel]).step(NOON)
    outbox.settle_notices = settle  # type: ignore[method-assign]  # the restart
    Worker(outbox, [channel]).step(NOON + 1_000)
    assert len(channel.sent) == 2
    assert len(outbox.settled) == 1


def test_chatter_is_one_page_and_every_transition_is_settled(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom")
    worker = Worker(outbox, [channel])
    for number in range(1, 6):
        outbox.put(raised(number, detected_at=NOON + number * 60_000))
        worker.step(NOON + number * 60_000)
    assert len(channel.sent) == 1
    assert [decision for _, decision, *_ in outbox.log()] == ["page: raised", *["none: repeated"] * 4]


def late(number: int, asset: str = "fridge-1") -> Transition:
    return raised(number, asset, at=NOON - 3_600_000, retroactive=True)


def set_state(outbox: FakeOutbox, transition: Transition, state: AlarmState) -> None:
    outbox.alarms[transition.site, transition.key] = Alarm(transition.site, transition.key, state)


def test_a_late_raise_that_its_backlog_ends_is_a_summary(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom")
    worker = Worker(outbox, [channel])
    outbox.put(late(1))
    set_state(outbox, late(1), AlarmState.UNACKNOWLEDGED)
    worker.step(NOON)
    assert (channel.sent, worker.figures()["waiting"]) == ([], 1)
    set_state(outbox, late(1), AlarmState.RETURNED_UNACKNOWLEDGED)
    worker.step(NOON + 1_000)
    assert [decision for _, decision, *_ in outbox.log()] == ["summary: past_excursion"]
    assert worker.figures()["waiting"] == 0


def test_a_late_raise_that_goes_on_pages_after_the_grace(outbox: FakeOutbox) -> None:
    worker = Worker(outbox, [FakeChannel("wecom")])
    outbox.put(late(1))
    set_state(outbox, late(1), AlarmState.UNACKNOWLEDGED)
    worker.step(NOON)
    worker.step(NOON + LATE_GRACE)
    assert [decision for _, decision, *_ in outbox.log()] == ["page: found_late"]


def test_a_flood_of_late_raises_does_not_hide_what_comes_after_it(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom")
    worker = Worker(outbox, [channel])
    flood = [late(number, f"fridge-{number}") for number in range(1, TAKEN_AT_ONCE + 1)]
    for transition in flood:
        set_state(outbox, transition, AlarmState.UNACKNOWLEDGED)
    outbox.put(*flood)
    worker.step(NOON)
    assert worker.figures()["waiting"] == MOST_WAITING
    outbox.put(raised(9_999, "boiler-1"))
    worker.step(NOON + 1_000)
    assert 9_999 in [notice.transition_id for notice in outbox.settled]


def test_what_is_on_its_way_is_bounded(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom", *[NO] * 1_000)
    worker = Worker(outbox, [channel])
    outbox.put(*(raised(number, f"fridge-{number}") for number in range(1, MOST_UNSETTLED + 2 * TAKEN_AT_ONCE)))
    for second in range(20):
        worker.step(NOON + second)
    assert MOST_UNSETTLED <= worker.unsettled < MOST_UNSETTLED + TAKEN_AT_ONCE
    assert outbox.settled == []


def revision(number: int, text: str) -> Revision:
    return Revision("school", number, (("site.yaml", text),), NOON, "test")


def test_names_come_from_the_present_revision_of_the_site(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom")
    worker = Worker(outbox, [channel], language="zh")
    outbox.revisions["school"] = revision(1, SITE)
    outbox.put(raised(1))
    worker.step(NOON)
    outbox.revisions["school"] = revision(2, SITE.replace("阳光小学", "星光小学"))
    outbox.put(raised(2, "fridge-2"))
    worker.step(NOON)
    assert ["阳光小学" in channel.sent[0].title, "星光小学" in channel.sent[1].title] == [True, True]


def test_a_site_whose_names_cannot_be_read_is_told_of_with_ids(outbox: FakeOutbox) -> None:
    channel = FakeChannel("wecom")
    outbox.revisions["school"] = revision(1, "site: [")
    outbox.put(raised(1))
    Worker(outbox, [channel]).step(NOON)
    assert "school" in channel.sent[0].title


def test_the_loop_beats_and_stops_when_told(outbox: FakeOutbox) -> None:
    stop = threading.Event()
    outbox.put(raised(1))

    class Last(FakeChannel):
        def send(self, message: Message) -> Answer:
            stop.set()
            return super().send(message)

    run(outbox, [Last("wecom")], lambda: NOON, stop)
    assert [beat.name for beat in outbox.beats] == ["notify"]
    assert outbox.beats[0].info == '{"sent":1,"failed":0,"unsettled":0,"waiting":0}'
    assert [notice.transition_id for notice in outbox.settled] == [1]


def test_the_loop_that_is_stopped_before_it_began_does_nothing(outbox: FakeOutbox) -> None:
    stop = threading.Event()
    stop.set()
    outbox.put(raised(1))
    run(outbox, [], lambda: NOON, stop)
    assert (outbox.settled, outbox.beats) == ([], [])


def test_each_round_first_lifts_what_is_set_aside_no_longer() -> None:
    outbox = FakeOutbox()
    worker = Worker(outbox, [])
    worker.step(NOON)
    worker.step(NOON + 1_000)
    assert outbox.lifted_at == [NOON, NOON + 1_000]
