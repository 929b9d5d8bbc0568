"""`OperationalStore`: one database behind the three protocols Ledger, Console and Outbox of `domain.ports`.

It only opens transactions: what happens in them is in the module of each topic. A method is one transaction.
"""

from collections.abc import Sequence
from dataclasses import replace

from domain.alarms import Alarm, AlarmEvent, AlarmKey, Overlay, OverlayKind, Transition
from domain.records import (
    AgentRow,
    AlarmFilter,
    Commit,
    Committed,
    ConfigChange,
    DeadLetter,
    Discovery,
    Excursion,
    JournalEntry,
    Latest,
    Lease,
    Position,
    ProcessRow,
    Purgeable,
    Revision,
    TransitionFilter,
)
from store.engine import Database
from store.migrate import migrate
from store.operational import (
    agents,
    alarms,
    aside,
    audit,
    catalogue,
    journal,
    leases,
    letters,
    locks,
    retention,
    service,
    transitions,
)
from store.operational.food import FoodDecisions
from store.operational.leases import LeaseClock
from store.operational.notices import Notices
from wire.topics import ROOT


class OperationalStore(FoodDecisions, Notices):
    """The operational store at `url` (`sqlite:////path/file` or `postgresql://user:password@host/name`), brought to
    this program's schema when opened.

    Safe to use from several threads, processes and, on PostgreSQL, machines. `lease_clock` is by default the server's
    on PostgreSQL; SQLite has none but the caller's. CaretakerError when the URL or the database cannot be used;
    StoreUnavailableError, from every method, when the database is away.
    """

    def __init__(self, url: str, lease_clock: LeaseClock | None = None) -> None:
        self._database = Database(url)
        self._server_clock = not self._database.is_sqlite and lease_clock is not LeaseClock.CALLER
        try:
            migrate(self._database)
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    # Ledger

    def sites(self) -> list[str]:
        """Ids of the sites that have a catalogue."""
        with self._database.read() as connection:
            return catalogue.sites(connection)

    def acquire(self, site: str, worker: str, now: int, ttl: int, epoch: int | None = None) -> int | None:
        """Take or renew the site's lease: its epoch, or None while another worker holds it."""
        with self._database.write() as connection:
            locks.site(connection, site)
            if self._server_clock:
                now = leases.server_time(connection)
            return leases.acquire(connection, site, worker, now, ttl, epoch)

    def release(self, site: str, worker: str, epoch: int) -> None:
        """Let the lease of `epoch` run out now; nothing when it is lost already."""
        with self._database.write() as connection:
            locks.site(connection, site)
            leases.release(connection, site, worker, epoch)

    def leases(self) -> list[Lease]:
        """Every lease that was ever granted, by site."""
        with self._database.read() as connection:
            return leases.load(connection)

    def positions(self, site: str) -> dict[str, Position]:
        """The position of each agent."""
        with self._database.read() as connection:
            return journal.load_positions(connection, site)

    def owners(self, site: str) -> dict[str, str]:
        """Which agent owns each point that is owned."""
        with self._database.read() as connection:
            return journal.load_owners(connection, site)

    def commit(self, commit: Commit) -> Committed:
        """Write everything in one transaction. FencedError when the epoch is no longer the lease's.

        StoreUnavailableError when it may or may not have been written: the very same commit again is written once.
        """
        with self._database.write() as connection:
            locks.site(connection, commit.site)
            leases.check(connection, commit)
            end = journal.lock(connection, commit.site)
            if end.is_of(commit):
                before = transitions.between(connection, end.first_transition, end.last_transition, commit.site)
                return Committed(end.n, before)
            end = journal.append(connection, commit, end)
            journal.save_positions(connection, commit.site, commit.positions)
            journal.save_owners(connection, commit.site, commit.owners, commit.received)
            catalogue.discover(connection, commit.site, commit.discoveries)
            agents.note_agents(connection, commit)
            letters.keep(connection, commit.site, commit.dead_letters)
            letters.settle_replays(connection, commit.replayed, commit.received)
            news = alarms.apply_events(connection, commit.site, commit.events, commit.received, commit.rules_revision)
            if news:
                end = replace(end, first_transition=news[0].id, last_transition=news[-1].id)
            journal.save_end(connection, commit.site, end)
        return Committed(end.n, news)

    def journal(self, site: str, after: int, limit: int) -> list[JournalEntry]:
        """Entries with n > after, ascending, at most `limit`."""
        with self._database.read() as connection:
            return journal.entries(connection, site, after, limit)

    def journal_end(self, site: str) -> int:
        """The number of the newest entry; 0 when there was none."""
        with self._database.read() as connection:
            return journal.end(connection, site).n

    def journal_bytes(self, site: str) -> int:
        """How many bytes the site's journal holds now: what its bound is compared with."""
        with self._database.read() as connection:
            return journal.end(connection, site).bytes

    def snapshot(self, site: str) -> tuple[int, bytes] | None:
        """The newest engine snapshot and the entry it was taken after."""
        with self._database.read() as connection:
            return journal.load_snapshot(connection, site)

    def save_snapshot(self, site: str, n: int, blob: bytes, now: int) -> None:
        """Keep the snapshot taken after entry `n`, replacing the older one; an older one than it changes nothing."""
        with self._database.write() as connection:
            journal.save_snapshot(connection, site, n, blob, now)

    def cursor(self, site: str, name: str) -> int:
        """How far the reader `name` of the journal has come; 0 at first."""
        with self._database.read() as connection:
            return journal.load_cursor(connection, site, name)

    def set_cursor(self, site: str, name: str, n: int, dead_letters: Sequence[DeadLetter] = ()) -> None:
        """Everything up to entry `n` is done, but for what became these dead letters; written together."""
        with self._database.write() as connection:
            if dead_letters:
                locks.site(connection, site)
                if journal.load_cursor(connection, site, name) < n:  # else this is the same call, tried again
                    letters.keep(connection, site, dead_letters)
            journal.save_cursor(connection, site, name, n)

    def replay_requests(self, site: str, limit: int) -> list[DeadLetter]:
        """Dead letters of the site whose replay was asked for and is not done, oldest first."""
        with self._database.read() as connection:
            return letters.asked_for(connection, f"{ROOT}/{site}/", limit)

    def trim(self, site: str, keep_after: int) -> int:
        """Delete entries that nobody needs, in short transactions; how many."""
        with self._database.read() as connection:
            edge = journal.trim_edge(connection, site, keep_after)
        deleted = 0
        while True:
            with self._database.write() as connection:
                locks.site(connection, site)
                chunk = journal.trim_chunk(connection, site, edge)
            if chunk == 0:
                return deleted
            deleted += chunk

    def flush_latest(self, site: str, rows: Sequence[Latest]) -> None:
        """Write the newest readings that changed."""
        with self._database.write() as connection:
            agents.flush_latest(connection, site, rows)

    def site_revision(self, site: str, number: int | None = None) -> Revision | None:
        """The catalogue's newest (or that) revision."""
        with self._database.read() as connection:
            return catalogue.site_revision(connection, site, number)

    def rules_revision(self, site: str, number: int | None = None) -> Revision | None:
        """The rules' newest (or that) revision."""
        with self._database.read() as connection:
            return catalogue.rules_revision(connection, site, number)

    def newest_change(self, site: str) -> ConfigChange | None:
        """The newest revisions by number; None for a site without a catalogue."""
        with self._database.read() as connection:
            return catalogue.newest_change(connection, site)

    def commissioned_at(self, site: str) -> int | None:
        """When the site went live; None while it is being commissioned."""
        with self._database.read() as connection:
            return catalogue.commissioned_at(connection, site)

    def beat(self, process: ProcessRow) -> None:
        """A sign of life of a process."""
        with self._database.write() as connection:
            agents.beat(connection, process)

    # Console

    def apply_site(self, site: str, documents: Sequence[tuple[str, str]], by: str, now: int) -> Revision:
        """Store a catalogue revision (the same documents again give the present one back)."""
        with self._database.write() as connection:
            locks.site(connection, site)
            return catalogue.apply_site(connection, site, documents, by, now)

    def apply_rules(
        self, site: str, documents: Sequence[tuple[str, str]], by: str, now: int, why: str = ""
    ) -> Revision:
        """Store a rules revision (the same documents again give the present one back)."""
        with self._database.write() as connection:
            locks.site(connection, site)
            return catalogue.apply_rules(connection, site, documents, by, now, why)

    def rules_revisions(self, site: str, limit: int, before: int | None = None) -> list[Revision]:
        """The rules' revisions, newest first; numbers below `before`."""
        with self._database.read() as connection:
            return catalogue.rules_revisions_of(connection, site, limit, before)

    def commission(self, site: str, at: int | None, by: str, now: int) -> None:
        """Set when the site goes live, or None for "still being commissioned"; audited."""
        with self._database.write() as connection:
            locks.site(connection, site)
            catalogue.commission(connection, site, at, by, now)

    def latest(self, site: str) -> list[Latest]:
        """The newest reading of every point."""
        with self._database.read() as connection:
            return agents.load_latest(connection, site)

    def alarms(self, where: AlarmFilter, limit: int, offset: int = 0) -> tuple[list[Alarm], int]:
        """One page of alarms, the most pressing first, and how many there are in all."""
        with self._database.read() as connection:
            return alarms.find(connection, where, limit, offset)

    def alarm(self, site: str, key: AlarmKey) -> Alarm | None:
        """One alarm, or None when it was never raised."""
        with self._database.read() as connection:
            return alarms.load(connection, site, key)

    def command(self, site: str, event: AlarmEvent, expected_version: int | None = None) -> Transition:
        """Apply a person's event to the alarm, audited. NotFoundError, ConflictError, IllegalTransitionError."""
        with self._database.write() as connection:
            locks.site(connection, site)
            return alarms.command(connection, site, event, expected_version)

    def remove_from_service(
        self, site: str, asset: str, by: str, why: str, until: int | None, now: int
    ) -> tuple[Transition, ...]:
        """Take the asset and all its alarms out of service, audited. IllegalTransitionError changes nothing."""
        with self._database.write() as connection:
            locks.site(connection, site)
            overlay = Overlay(OverlayKind.OUT_OF_SERVICE, by, why, now, until)
            return aside.remove_from_service(connection, site, asset, overlay)

    def return_to_service(self, site: str, asset: str, by: str, note: str, now: int) -> tuple[Transition, ...]:
        """Put the asset and all its alarms back into service, audited. IllegalTransitionError changes nothing."""
        with self._database.write() as connection:
            locks.site(connection, site)
            return aside.return_to_service(connection, site, asset, by, note, now)

    def out_of_service(self, site: str) -> dict[str, Overlay]:
        """The overlay of each asset of the site that is out of service."""
        with self._database.read() as connection:
            return service.load(connection, site)

    def transitions(self, where: TransitionFilter, limit: int, newest_first: bool = True) -> list[Transition]:
        """Transitions by id."""
        with self._database.read() as connection:
            return transitions.find(connection, where, limit, newest_first)

    def excursions(self, site: str, point: str | None, start: int, end: int) -> list[Excursion]:
        """Excursions that overlap [start, end), by start."""
        with self._database.read() as connection:
            return transitions.find_excursions(connection, site, point, start, end)

    def discoveries(self, site: str) -> list[Discovery]:
        """Points that are published and not in the catalogue."""
        with self._database.read() as connection:
            return catalogue.load_discoveries(connection, site)

    def dead_letters(self, site: str | None, limit: int, before: int | None = None) -> list[DeadLetter]:
        """Newest first; ids below `before`."""
        with self._database.read() as connection:
            return letters.find(connection, site, limit, before)

    def ask_replay(self, ids: Sequence[int], by: str, now: int) -> int:
        """Ask ingest to put these dead letters through acceptance again, audited; how many that were not yet."""
        with self._database.write() as connection:
            locks.site(connection, "")
            asked = letters.ask_replay(connection, ids, now)
            if asked:
                audit.append(connection, "", now, by, "replay_dead_letters", "", {"ids": list(ids), "asked": asked})
            return asked

    def dead_letters_dropped(self) -> int:
        """How many dead letters had to make room for newer ones."""
        with self._database.read() as connection:
            return letters.dropped(connection)

    def agents(self, site: str) -> list[AgentRow]:
        """Every agent seen at the site."""
        with self._database.read() as connection:
            return agents.load_agents(connection, site)

    def processes(self) -> list[ProcessRow]:
        """Every process that gave a sign of life."""
        with self._database.read() as connection:
            return agents.load_processes(connection)

    def audit(self, site: str | None, limit: int, before: int | None = None) -> list[dict[str, object]]:
        """Audit entries, newest first."""
        with self._database.read() as connection:
            return audit.entries(connection, site, limit, before)

    def verify_audit(self, site: str) -> str | None:
        """None when the site's chain of audit entries holds together, else what is wrong and where."""
        with self._database.read() as connection:
            return audit.verify(connection, site)

    def note(self, site: str, at: int, by: str, action: str, detail: dict[str, object]) -> None:
        """Write an audit entry about something done outside of this store, e.g. a restored backup."""
        with self._database.write() as connection:
            locks.site(connection, site)
            audit.append(connection, site, at, by, action, site, detail)

    def audit_heads(self) -> dict[str, str]:
        """The hash of each chain's newest entry, by site: keep it elsewhere, and a cut-off end shows."""
        with self._database.read() as connection:
            return audit.heads(connection)

    def purge_before(self, site: str, what: Purgeable, before: int, by: str, now: int) -> int:
        """Delete what is older than `before`, in short transactions, each audited; how many.

        CaretakerError when records of this kind are kept for longer: see `retention.KEPT_FOR`.
        """
        retention.check(what, before, now)
        deleted = 0
        while True:
            with self._database.write() as connection:
                locks.site(connection, site)
                chunk = retention.purge(connection, site, what, before, by, now)
            if chunk == 0:
                return deleted
            deleted += chunk
