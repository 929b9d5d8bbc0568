"""The operational store as ingest sees it, in memory, with switches for failure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from domain.alarms import Alarm, AlarmEvent, AlarmKey, EventKind, Reason
from domain.batch import ReadingBatch, decode_batch, encode_batch
from domain.errors import FencedError
from domain.lifecycle import apply
from domain.records import (
    AlarmFilter,
    Clock,
    Commit,
    Committed,
    ConfigChange,
    DeadLetter,
    Discovery,
    EntryKind,
    JournalEntry,
    Latest,
    Position,
    ProcessRow,
    Revision,
)

if TYPE_CHECKING:
    from domain.records import Lease

SITE = "school"
NOW = 1_772_000_000_000
SITE_YAML = """
site: {id: school}
areas: [{id: kitchen}]
assets:
  - id: fridge-1
    type: refrigerator
    area: kitchen
    points:
      temperature: {interval: 60s}
      door: {}
  - id: freezer-1
    type: freezer
    area: kitchen
    agent: cellar
    points: {temperature: {interval: 60s}}
"""


@dataclass
class FakeLedger:
    """The operational store in memory; commits are encoded and decoded, as the real one does."""

    site_documents: dict[str, list[str]] = field(default_factory=lambda: {SITE: [SITE_YAML]})
    rules: dict[str, list[str]] = field(default_factory=dict)
    commissioned: int | None = None
    commits: list[Commit] = field(default_factory=list)
    entries: list[JournalEntry] = field(default_factory=list)
    last_n: int = 0
    held: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    place: dict[str, Position] = field(default_factory=dict)
    owned: dict[str, str] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)
    found: list[Discovery] = field(default_factory=list)
    kept_alarms: dict[AlarmKey, Alarm] = field(default_factory=dict)
    newest: dict[str, Latest] = field(default_factory=dict)
    cursors: dict[str, int] = field(default_factory=dict)
    kept_snapshot: tuple[int, bytes] | None = None
    asked: list[DeadLetter] = field(default_factory=list)
    replayed: list[int] = field(default_factory=list)
    beats: list[ProcessRow] = field(default_factory=list)
    refuse: int = 0
    refuse_after_writing: int = 0
    held_bytes: int | None = None

    def sites(self) -> list[str]:
        return sorted(self.site_documents)

    def acquire(self, site: str, worker: str, now: int, ttl: int, epoch: int | None = None) -> int | None:
        holder, present, until = self.held.get(site, ("", 0, 0))
        if epoch is None:
            if holder not in ("", worker) and until > now:
                return None
            epoch = present + 1
        elif (holder, present) != (worker, epoch):
            return None
        self.held[site] = (worker, epoch, now + ttl)
        return epoch

    def release(self, site: str, worker: str, epoch: int) -> None:
        if self.held.get(site, ("", 0, 0))[:2] == (worker, epoch):
            self.held[site] = (worker, epoch, 0)

    def leases(self) -> "list[Lease]":
        from domain.records import Lease

        return [Lease(site, *row) for site, row in sorted(self.held.items())]

    def positions(self, site: str) -> dict[str, Position]:
        return dict(self.place)

    def owners(self, site: str) -> dict[str, str]:
        return dict(self.owned)

    def commit(self, commit: Commit) -> Committed:
        if self.refuse:
            self.refuse -= 1
            raise OSError("disk full")
        holder, epoch, _ = self.held.get(commit.site, ("", 0, 0))
        if (holder, epoch) != (commit.worker, commit.epoch):
            raise FencedError("another worker")
        last = self.commits[-1] if self.commits else None
        if last and commit.serial and (last.epoch, last.serial) == (commit.epoch, commit.serial):
            return Committed(self.last_n, ())
        self.commits.append(commit)
        for kind, content in commit.entries:
            self.last_n += 1
            kept = decode_batch(encode_batch(content)) if isinstance(content, ReadingBatch) else content
            self.entries.append(JournalEntry(commit.site, self.last_n, commit.received, kind, kept))
        self.place.update((position.agent, position) for position in commit.positions)
        self.owned.update(commit.owners)
        self.letters.extend(commit.dead_letters)
        self.replayed.extend(commit.replayed)
        self.found.extend(commit.discoveries)
        transitions = []
        for event in commit.events:
            present = self.kept_alarms.get(event.key, Alarm(commit.site, event.key))
            self.kept_alarms[event.key], transition = apply(present, event)
            transitions.append(transition)
        if self.refuse_after_writing:
            self.refuse_after_writing -= 1
            raise OSError("connection lost")
        return Committed(self.last_n, tuple(transitions))

    def journal(self, site: str, after: int, limit: int) -> list[JournalEntry]:
        return [entry for entry in self.entries if entry.n > after][:limit]

    def journal_end(self, site: str) -> int:
        return self.last_n

    def journal_bytes(self, site: str) -> int:
        return 100 * len(self.entries) if self.held_bytes is None else self.held_bytes

    def snapshot(self, site: str) -> tuple[int, bytes] | None:
        return self.kept_snapshot

    def save_snapshot(self, site: str, n: int, blob: bytes, now: int) -> None:
        self.kept_snapshot = (n, blob)

    def cursor(self, site: str, name: str) -> int:
        return self.cursors.get(name, 0)

    def set_cursor(self, site: str, name: str, n: int, dead_letters: Sequence[DeadLetter] = ()) -> None:
        self.cursors[name] = n
        self.letters.extend(dead_letters)

    def trim(self, site: str, keep_after: int) -> int:
        edge = min(keep_after, *(self.cursors.values() or [0]), (self.kept_snapshot or (0, b""))[0])
        before = len(self.entries)
        self.entries = [entry for entry in self.entries if entry.n > edge]
        return before - len(self.entries)

    def replay_requests(self, site: str, limit: int) -> list[DeadLetter]:
        return [letter for letter in self.asked if letter.id not in self.replayed][:limit]

    def flush_latest(self, site: str, rows: Sequence[Latest]) -> None:
        if self.refuse:
            raise OSError("disk full")
        self.newest.update((row.point, row) for row in rows)

    def site_revision(self, site: str, number: int | None = None) -> Revision | None:
        return _revision(site, self.site_documents.get(site, []), number)

    def rules_revision(self, site: str, number: int | None = None) -> Revision | None:
        return _revision(site, self.rules.get(site, []), number)

    def newest_change(self, site: str) -> ConfigChange | None:
        catalogue, rules = self.site_revision(site), self.rules_revision(site)
        if catalogue is None:
            return None
        return ConfigChange(catalogue.number, 0 if rules is None else rules.number, self.commissioned)

    def alarms(self, where: AlarmFilter, limit: int, offset: int = 0) -> tuple[list[Alarm], int]:
        found = [
            alarm
            for alarm in self.kept_alarms.values()
            if (not where.states or alarm.state in where.states)
            and where.rule in (None, alarm.key.rule)
            and where.point in (None, alarm.key.point)
        ]
        return found[offset : offset + limit], len(found)

    def beat(self, process: ProcessRow) -> None:
        self.beats.append(process)

    def acknowledge(self, key: AlarmKey) -> None:
        """What a person does through the API."""
        event = AlarmEvent(EventKind.ACKNOWLEDGE, key, Reason.BY_PERSON, NOW, NOW, by="cook")
        self.kept_alarms[key], _ = apply(self.kept_alarms[key], event)

    def readings(self) -> list[tuple[str, int, float]]:
        """Every journalled reading in order."""
        batches = [entry.content for entry in self.entries if isinstance(entry.content, ReadingBatch)]
        return [(row.point, row.time, row.value) for batch in batches for row in batch.readings()]

    def kinds(self) -> list[EntryKind]:
        return [entry.kind for entry in self.entries]

    def clocks(self) -> list[Clock]:
        return [entry.content for entry in self.entries if isinstance(entry.content, Clock)]


def _revision(site: str, documents: list[str], number: int | None) -> Revision | None:
    number = len(documents) if number is None else number
    if not 1 <= number <= len(documents):
        return None
    return Revision(site, number, (("file.yaml", documents[number - 1]),), NOW, "test")
