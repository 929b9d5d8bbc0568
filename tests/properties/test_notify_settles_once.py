"""However the channels answer and whenever transitions come: each is settled exactly once, and told at most once."""

from collections import Counter
from collections.abc import Iterator, Sequence

import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alarms import Alarm, AlarmKey, AlarmState, EventKind, Priority, Reason, Transition
from domain.records import ProcessRow, Revision, SentNotice
from notify.channels import Answer
from notify.message import Message
from notify.once import LONGEST_RETRY, MOST_TRIES
from notify.worker import Worker

NOON = 1_780_000_000_000


class MemoryOutbox:
    """Transitions and alarms in memory; refuses to settle what is not pending."""

    def __init__(self) -> None:
        self.pending: dict[int, Transition] = {}
        self.settled: list[SentNotice] = []
        self.alarms: dict[tuple[str, AlarmKey], Alarm] = {}

    def pending_notices(self, limit: int) -> list[Transition]:
        return list(self.pending.values())[:limit]

    def lift_expired(self, now: int) -> tuple[Transition, ...]:
        return ()

    def settle_notice(self, notice: SentNotice) -> None:
        del self.pending[notice.transition_id]
        self.settled.append(notice)

    def settle_notices(self, notices: Sequence[SentNotice]) -> None:
        for notice in notices:
            self.settle_notice(notice)

    def notices(self, limit: int) -> Iterator[SentNotice]:
        return iter(self.settled[-limit:])

    def alarm(self, site: str, key: AlarmKey) -> Alarm | None:
        return self.alarms.get((site, key))

    def site_revision(self, site: str, number: int | None = None) -> Revision | None:
        return None

    def beat(self, process: ProcessRow) -> None:
        """Not looked at."""


class Moody:
    """A channel that follows a script of answers, again and again; counts deliveries per message."""

    def __init__(self, name: str, script: list[bool]) -> None:
        self.name, self.script, self.asked = name, script, 0
        self.delivered: Counter[int] = Counter()
        self.tried: Counter[int] = Counter()

    def send(self, message: Message) -> Answer:
        answer = self.script[self.asked % len(self.script)]
        self.asked += 1
        self.tried[id(message)] += 1
        self.delivered[id(message)] += answer
        self.kept = [*getattr(self, "kept", []), message]  # keeps ids from being used again
        return Answer(answer, "" if answer else "busy")


TRANSITIONS = st.lists(
    st.tuples(
        st.sampled_from(EventKind),
        st.sampled_from(["school", "other"]),
        st.integers(1, 3),
        st.booleans(),
        st.booleans(),
        st.sampled_from([*Priority, None]),
        st.one_of(st.none(), st.sampled_from(AlarmState)),
        st.integers(0, 10),
    ),
    max_size=25,
)


def arrive(outbox: MemoryOutbox, number: int, drawn: tuple[object, ...], now: int) -> None:
    event, site, asset, retroactive, answer_required, priority, state, _ = drawn
    key = AlarmKey("r", f"a-{asset}/x")
    assert isinstance(site, str)
    outbox.pending[number] = Transition(
        site, key, event, AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED, Reason.ABOVE_LIMIT, priority, 0, 1.0, now, now,  # type: ignore[arg-type]  # drawn above
        bool(retroactive), bool(answer_required), id=number,
    )  # fmt: skip
    if isinstance(state, AlarmState):
        outbox.alarms[site, key] = Alarm(site, key, state)


@settings(max_examples=100)
@given(TRANSITIONS, st.lists(st.booleans(), min_size=1, max_size=6), st.lists(st.booleans(), min_size=1, max_size=6))
def test_each_transition_is_settled_once(
    drawn: list[tuple[object, ...]], first: list[bool], second: list[bool]
) -> None:
    outbox = MemoryOutbox()
    channels = [Moody("one", first), Moody("two", second)]
    worker = Worker(outbox, channels)
    now = NOON
    with structlog.testing.capture_logs():
        for number, entry in enumerate(drawn, 1):
            arrive(outbox, number, entry, now)
            pause = entry[-1]
            assert isinstance(pause, int)
            if pause:  # 0: the next one comes in the same round
                worker.step(now)
            now += pause * 1_000
        # While every channel fails, one message is tried per round.
        for _ in range(MOST_TRIES * len(drawn) + 10):
            if not outbox.pending:
                break
            worker.step(now)
            now += LONGEST_RETRY
    assert outbox.pending == {}
    assert sorted(notice.transition_id for notice in outbox.settled) == list(range(1, len(drawn) + 1))
    for channel in channels:
        assert all(count <= 1 for count in channel.delivered.values())
        assert all(count <= MOST_TRIES for count in channel.tried.values())
    assert worker.unsettled == 0
    for notice in outbox.settled:
        told = not notice.decision.startswith("none")
        assert bool(notice.outcome) == told
