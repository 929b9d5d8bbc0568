"""A message that the rule engine fails on does not stop its site: found, stored, not judged, said."""

from domain.alarms import AlarmEvent
from domain.batch import ReadingBatch
from domain.records import EntryKind
from ingest.inbox import Inbound, Inbox
from ingest.metrics import Count
from ingest.quarantine import AGENT_MESSAGES, AGENT_PAUSE, MOST_SUSPECTS, Quarantine
from ingest.restore import restore
from ingest.site_session import SiteSession
from tests.unit.ingest.ingest_fakes import NOW, SITE, Bench, FakeJudge, pack


class Fussy(FakeJudge):
    """Fails on the value 666, half-way through its batch."""

    def feed(self, batch: ReadingBatch) -> list[AlarmEvent]:
        events = super().feed(batch)
        if 666.0 in batch.value:
            raise RuntimeError("a defect of the engine")
        return events


class Run:
    """A site's worker as `ingest.site_worker` does it, without threads."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.bench.make_judge = Fussy  # type: ignore[method-assign,assignment] # the judge of this test
        self.parts = self.bench.parts.__class__(
            self.bench.settings, self.bench.ledger, Fussy, lambda: self.bench.time, self.bench.pause,
            self.bench.link, self.bench.mailbox, self.bench.counters,
        )  # fmt: skip
        self.inbox = Inbox(1000, 10**9)
        self.inbox.open(SITE)
        self.quarantine = Quarantine()
        self.sessions = 0

    def serve(self, *messages: Inbound) -> None:
        """Sessions until everything is settled."""
        self.inbox.put_all(messages)
        for _ in range(20):
            self.sessions += 1
            epoch = self.bench.ledger.acquire(SITE, "ingest", self.bench.time, 15_000)
            assert epoch is not None
            session = SiteSession(SITE, epoch, self.parts, self.quarantine)
            try:
                session.tick()
                session.take(self.inbox.take(SITE, 100, 0))
                self.bench.time += 200
                session.tick()
            except RuntimeError:
                self.inbox.put_back(SITE, session.pending)
            else:
                return
        raise AssertionError("the site does not come to rest")

    def unjudged(self) -> list[float]:
        entries = [entry for entry in self.bench.ledger.entries if entry.kind is EntryKind.UNJUDGED]
        return [value for entry in entries for value in entry.content.value.tolist()]  # type: ignore[union-attr]


def test_the_offender_is_found_among_others_stored_unjudged_and_the_others_are_judged() -> None:
    run = Run()
    run.serve(pack(1, 4.0), pack(2, 666.0), pack(3, 9.0), pack(1, 5.0, agent="b", point="fridge-2/temperature"))
    assert sorted(value for _, _, value in run.bench.ledger.readings()) == [4.0, 5.0, 9.0, 666.0]
    assert run.unjudged() == [666.0]
    assert run.bench.ledger.place["a"].through == 3
    assert len(run.bench.ledger.kept_alarms) == 1, "the alarm of the pack after it was raised"
    assert run.bench.counters.get(Count.UNJUDGED) == 1
    assert run.sessions == 3, "the batch, the offender alone, and then the rest"


def test_nothing_is_receipted_before_it_is_settled() -> None:
    run = Run()
    run.serve(pack(1, 666.0))
    assert run.bench.ledger.place["a"].through == 1
    assert run.unjudged() == [666.0]


def test_a_restart_does_not_give_the_judge_what_was_not_judged() -> None:
    run = Run()
    run.serve(pack(1, 4.0), pack(2, 666.0), pack(3, 9.0))
    run.bench.ledger.kept_snapshot = None
    restored = restore(run.bench.ledger, SITE, Fussy, lambda batch: None)
    assert isinstance(restored.judge, Fussy)
    assert [value for _, _, value in restored.judge.values] == [4.0, 9.0]


def test_an_agent_with_several_of_them_is_not_judged_for_a_while_so_that_the_site_is_not_always_restarting() -> None:
    run = Run()
    for seq in range(1, AGENT_MESSAGES + 1):
        run.serve(pack(seq, 666.0))
    before = run.sessions
    run.serve(pack(AGENT_MESSAGES + 1, 666.0))
    run.serve(pack(AGENT_MESSAGES + 2, 4.0))
    assert run.sessions == before + 2, "no restart any more"
    assert run.unjudged() == [666.0] * (AGENT_MESSAGES + 1) + [4.0]
    run.bench.time += AGENT_PAUSE
    run.serve(pack(AGENT_MESSAGES + 3, 5.0))
    assert run.unjudged()[-1] == 4.0, "tried again, and judged"


def test_what_went_well_the_second_time_is_forgotten() -> None:
    quarantine = Quarantine()
    one, two = pack(1, 4.0), pack(2, 4.0)
    assert not quarantine.alone(one, NOW)
    quarantine.failed((one, two), NOW)
    assert quarantine.alone(one, NOW)
    assert quarantine.judged(one, NOW)
    quarantine.settled(one)
    assert not quarantine.alone(one, NOW)
    quarantine.failed((two,), NOW)
    assert not quarantine.judged(two, NOW)
    quarantine.settled(two)
    assert quarantine.judged(two, NOW)


def test_nothing_is_special_before_a_failure_and_once_all_is_settled_and_every_agent_judged_again() -> None:
    quarantine = Quarantine()
    assert quarantine.idle(NOW)
    for number in range(AGENT_MESSAGES):
        quarantine.failed((pack(number + 1, 4.0),), NOW)
        quarantine.failed((pack(number + 1, 4.0),), NOW)
        assert not quarantine.idle(NOW)
        quarantine.settled(pack(number + 1, 4.0))
    assert not quarantine.idle(NOW + AGENT_PAUSE - 1)
    assert quarantine.idle(NOW + AGENT_PAUSE)
    assert quarantine.judged(pack(9, 4.0), NOW + AGENT_PAUSE)


def test_one_failure_alone_is_tried_once_more() -> None:
    quarantine = Quarantine()
    quarantine.failed((pack(1, 4.0),), NOW)
    assert quarantine.judged(pack(1, 4.0), NOW)
    quarantine.failed((pack(1, 4.0),), NOW)
    assert not quarantine.judged(pack(1, 4.0), NOW)


def test_what_is_remembered_is_bounded() -> None:
    quarantine = Quarantine()
    quarantine.failed((pack(1, 4.0),), NOW)
    quarantine.failed(tuple(Inbound(f"topic {number}", pack(1).topic, b"", 0) for number in range(MOST_SUSPECTS)), NOW)
    assert len(quarantine._failures) <= MOST_SUSPECTS
