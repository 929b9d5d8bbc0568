"""Promise: the journal alone makes the judge again, exactly as it was: also for devices that promise nothing.

The real engine is driven by a real `SiteSession` through clock ticks of any length, devices with and without promises,
late readings, takeovers of points, new rules, lost connections and restarts anywhere. Then its journal is given to a
fresh engine: what that one says, entry by entry, must be what was committed, and it must end in the same state.
"""

from dataclasses import dataclass
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from domain.alarms import AlarmEvent
from domain.batch import ReadingBatch
from domain.catalogue import Catalogue
from domain.records import Review, Revision
from ingest.parts import Parts
from ingest.restore import restore
from ingest.site_session import SiteSession
from rules.engine import Engine
from tests.unit.ingest.ingest_fakes import NOW, SITE, Bench, FakeLedger, pack, simple

RULES = """
rules:
  - id: too-warm
    applies_to: {metric: temperature}
    condition: {above: 8.0, deadband: 0.5}
    on_delay: 2min
    off_delay: 1min
    priority: high
  - id: silent
    applies_to: {asset_type: [refrigerator], metric: temperature}
    condition: {no_data: 3min}
    priority: low
"""
OTHER_RULES = RULES.replace("above: 8.0", "above: 9.0").replace("on_delay: 2min", "on_delay: 1min")


@dataclass(frozen=True)
class Step:
    """One thing that happens: `wait` ms pass, then `what`."""

    wait: int
    what: str
    age: int
    value: float


STEPS = st.builds(
    Step,
    st.integers(0, 70_000),
    st.sampled_from(["tick", "tick", "tick", "foreign", "foreign", "agent", "take over", "deaf", "rules", "restart"]),
    st.integers(-5_000, 200_000),
    st.sampled_from([4.0, 7.8, 9.0, 9.5]),
)


class Recorder(Engine):
    """The real engine, and everything that it said since it was made."""

    def __init__(self, site: str) -> None:
        super().__init__(site)
        self.said: list[AlarmEvent] = []

    def feed(self, batch: ReadingBatch) -> list[AlarmEvent]:
        return self._note(super().feed(batch))

    def clock(self, now: int, connected: bool) -> list[AlarmEvent]:
        return self._note(super().clock(now, connected))

    def review(self, now: int, again: Review | None = None) -> tuple[Review, list[AlarmEvent]]:
        review, events = super().review(now, again)
        return review, self._note(events)

    def configure(self, catalogue: Catalogue, rules: Revision | None, now: int) -> list[AlarmEvent]:
        return self._note(super().configure(catalogue, rules, now))

    def _note(self, events: list[AlarmEvent]) -> list[AlarmEvent]:
        self.said += events
        return events


class Site:
    """A session over a real engine; nothing is ever trimmed, so that the whole journal can be replayed."""

    def __init__(self) -> None:
        self.bench = Bench(FakeLedger(rules={SITE: [RULES]}, commissioned=NOW), snapshot_entries=7)
        self.ledger = self.bench.ledger
        self.seq = 0
        self.session = self.begin()

    def begin(self) -> SiteSession:
        b = self.bench
        parts = Parts(b.settings, b.ledger, Engine, lambda: b.time, b.pause, b.link, b.mailbox, b.counters)
        epoch = self.ledger.acquire(SITE, "ingest", b.time, 15_000)
        assert epoch is not None
        session = SiteSession(SITE, epoch, parts)
        session.tick()
        return session

    def step(self, step: Step) -> None:
        bench, moment = self.bench, self.bench.time + step.wait - step.age
        bench.time += step.wait
        record = b'[{"n":"fridge-1/temperature","t":%.3f,"v":%.1f}]' % (moment / 1000, step.value)
        match step.what:
            case "foreign":
                self.session.take([simple(record)])
            case "take over":
                self.session.take([simple(record.replace(b"fridge-1", b"freezer-1"), agent="cellar")])
            case "agent":
                self.seq += 1
                point = "freezer-1/temperature"
                self.session.take([pack(self.seq, step.value, agent="cellar", start=moment, point=point)])
            case "deaf":
                bench.link.hearing = not bench.link.hearing
            case "rules":
                self.ledger.rules[SITE].append(OTHER_RULES if len(self.ledger.rules[SITE]) % 2 else RULES)
            case "restart":
                self.session = self.begin()
        self.session.tick()

    def settle(self) -> None:
        """So much time passes that everything which the judge was told is journalled."""
        for wait in (200, 31_000):
            self.bench.time += wait
            self.session.tick()

    def committed(self) -> list[AlarmEvent]:
        return [event for commit in self.ledger.commits for event in commit.events]


class Untrimmed(FakeLedger):
    """The same journal, as if it had never been trimmed and no snapshot were there."""


def replayed(site: Site) -> Recorder:
    ledger = Untrimmed(site.ledger.site_documents, site.ledger.rules, site.ledger.commissioned)
    ledger.entries, ledger.last_n = site.ledger.entries, site.ledger.last_n
    restored = restore(ledger, SITE, partial(Recorder, SITE), lambda batch: None)
    assert isinstance(restored.judge, Recorder)
    return restored.judge


@given(st.lists(STEPS, max_size=30))
def test_the_journal_replayed_says_what_was_committed_and_ends_in_the_same_state(steps: list[Step]) -> None:
    site = Site()
    for step in steps:
        site.step(step)
    site.settle()
    live, again = site.session._judge, replayed(site)
    assert again.said == site.committed()
    assert isinstance(live, Engine)
    assert again.snapshot() == live.snapshot()


def test_a_reading_that_was_late_when_it_came_is_late_in_the_replay() -> None:
    """A tick without news moved the frontier; only a clock entry before the batch tells the replay of it."""
    site = Site()
    for wait, what, age in ((100, "foreign", 0), (1_000, "tick", 0), (3_000, "tick", 0), (100, "foreign", 58_500)):
        site.step(Step(wait, what, age, 9.0))
    site.settle()
    live, again = site.session._judge, replayed(site)
    assert isinstance(live, Engine)
    assert live.counters == again.counters
    assert again.snapshot() == live.snapshot()


def test_an_idle_site_journals_its_clock_as_rarely_as_before() -> None:
    site = Site()
    begun = len(site.ledger.commits)
    for _ in range(90):
        site.step(Step(1_000, "tick", 0, 0.0))
    assert 3 <= len(site.ledger.commits) - begun <= 4
