"""Restart from snapshot and journal equals never having stopped, with the real engine and the real store."""

from pathlib import Path

import pytest

from domain.records import AlarmFilter, TransitionFilter
from ingest.parts import Parts
from ingest.settings import IngestSettings
from ingest.site_session import SiteSession
from rules.engine import Engine
from store.operational.store import OperationalStore
from tests.unit.ingest.fake_ledger import SITE_YAML
from tests.unit.ingest.ingest_fakes import NOW, SITE, Bench, pack

RULES = """
rules:
  - id: too-warm
    applies_to: {asset_type: [refrigerator], metric: temperature}
    condition: {above: 8.0, deadband: 0.5}
    on_delay: 5min
    off_delay: 2min
    priority: high
  - id: silent
    applies_to: {asset_type: [refrigerator], metric: temperature}
    condition: {no_data: 10min}
    priority: low
"""
VALUES = (4.0, 9.0, 9.1, 9.2, 9.3, 9.4, 9.5, 9.6, 7.0, 6.0, 5.0, 9.0, 9.0, 4.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0)


class Stand:
    """A session over the real store and engine, with a clock moved by hand."""

    def __init__(self, folder: Path, **settings: int) -> None:
        folder.mkdir()
        self.store = OperationalStore(f"sqlite:///{folder}/operational.sqlite")
        self.store.apply_site(SITE, (("site.yaml", SITE_YAML),), "test", NOW)
        self.store.apply_rules(SITE, (("rules.yaml", RULES),), "test", NOW)
        self.store.commission(SITE, NOW, "test", NOW)
        self.bench = Bench()
        self.settings = IngestSettings("mqtt://localhost", **settings)
        self.session = self.begin()

    def begin(self) -> SiteSession:
        link, mailbox, counters, pause = self.bench.link, self.bench.mailbox, self.bench.counters, self.bench.pause
        parts = Parts(self.settings, self.store, Engine, lambda: self.bench.time, pause, link, mailbox, counters)
        epoch = self.store.acquire(SITE, self.settings.worker, self.bench.time, 3_600_000)
        assert epoch is not None
        session = SiteSession(SITE, epoch, parts)
        session.tick()
        return session

    def minute(self, seq: int, value: float) -> None:
        self.bench.time = NOW + 60_000 * seq
        self.session.take([pack(seq, value, start=self.bench.time, upto=self.bench.time)])
        for _ in range(2):
            self.bench.time += 500
            self.session.tick()

    def transitions(self) -> list[tuple[object, ...]]:
        rows = self.store.transitions(TransitionFilter(site=SITE), 100, newest_first=False)
        return [(r.key, r.source, r.target, r.reason, r.priority, r.value, r.at, r.detected_at) for r in rows]


@pytest.mark.parametrize("snapshot_entries", [1, 10_000])
def test_transitions_are_the_same_with_restarts_in_between(tmp_path: Path, snapshot_entries: int) -> None:
    straight = Stand(tmp_path / "straight")
    broken = Stand(tmp_path / "broken", snapshot_entries=snapshot_entries)
    for seq, value in enumerate(VALUES, 1):
        straight.minute(seq, value)
        broken.minute(seq, value)
        if seq % 3:
            broken.session = broken.begin()
    straight.minute(len(VALUES) + 1, 4.0)
    broken.minute(len(VALUES) + 1, 4.0)
    assert len(straight.transitions()) >= 3
    assert broken.transitions() == straight.transitions()
    for stand in (straight, broken):
        assert stand.store.alarms(AlarmFilter(), 10)[1] == 1
        stand.store.close()
