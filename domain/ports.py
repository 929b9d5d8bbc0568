"""The seams: what one package asks of another, as protocols. `caretaker` hands over the objects that meet them.

Nothing here is implemented. A method that takes "now" takes it in UTC ms: only wiring reads the clock. Server only
(the edge's own protocol, `Source`, is in `domain.source`).
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from domain.alarms import Alarm, AlarmEvent, AlarmKey, Overlay, Transition
from domain.batch import Gap, ReadingBatch
from domain.catalogue import Catalogue
from domain.food import FoodDecision
from domain.records import (
    AgentRow,
    AlarmFilter,
    AppendResult,
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
    Review,
    Revision,
    SentNotice,
    Series,
    TransitionFilter,
    Windows,
)


class Judge(Protocol):
    """The rule engine of one site, as ingest drives it. Deterministic: same calls, same events."""

    def feed(self, batch: ReadingBatch) -> list[AlarmEvent]:
        """Take accepted readings, and move the frontier of each span's agent to its `upto`."""

    def advance(self, agent: str, until: int) -> list[AlarmEvent]:
        """Nothing of `agent` earlier than `until` (UTC ms) follows."""

    def clock(self, now: int, connected: bool) -> list[AlarmEvent]:
        """Ingest's time is `now`, its broker connection stands or not: judges no-data and foreign devices."""

    def review(self, now: int, again: Review | None = None) -> tuple[Review, list[AlarmEvent]]:
        """Judge the past again where late readings came; where that was is to be journalled, unless nothing was
        judged. `again`: exactly that, in a replay."""

    def configure(self, catalogue: Catalogue, rules: Revision | None, now: int) -> list[AlarmEvent]:
        """Catalogue and rules as of now; conditions that no longer apply close."""

    def snapshot(self) -> bytes:
        """The whole state, for `restore`."""

    def restore(self, blob: bytes) -> None:
        """Continue from a snapshot; ValueError when it is of another format (then replay the journal instead)."""


class History(Protocol):
    """Stored readings, for judging late data over its lookback."""

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        """Readings with start <= time < end in ascending time; at most `limit`, the earliest first."""


class SeriesStore(History, Protocol):
    """Where readings are kept. Appending is idempotent: see `append`."""

    def append(self, batch: ReadingBatch) -> AppendResult:
        """Store the rows durably. The same point, time and value (and quality) is a duplicate and changes nothing;
        the same point and time with another value goes to the next free ms as `uncertain` (a bad one stays bad) with
        text `time_collision` (and its own text after `: `). Appending the same batch again stores nothing more.
        Rows that the store can never keep come back as `refused`; all others are stored. StoreUnavailableError and
        StoreRefusedError leave open what was stored: append the same batch again."""

    def append_all(self, batches: Sequence[ReadingBatch], *, unbroken: bool = False) -> list[AppendResult]:
        """As `append` for each, in order; quicker. An error leaves open what was stored of any of them. `unbroken`:
        the caller vouches that these follow what was appended here last, however long ago: whoever else stored
        readings of their sites since then stored these very batches, in this order."""

    def window(self, site: str, point: str, start: int, end: int, step: int) -> Windows:
        """Readings with start <= time < end per step ms, windows aligned to `start`. With a step of 15 minutes or more,
        purged readings are there as their summaries (each in the window in which it begins)."""

    def latest(self, site: str) -> list[Latest]:
        """The newest reading of every point of the site."""

    def add_gaps(self, site: str, gaps: Sequence[Gap]) -> None:
        """Keep gap records; the same gap again changes nothing."""

    def gaps(self, site: str, start: int, end: int) -> list[Gap]:
        """Gap records that overlap [start, end)."""

    def purge(self, site: str, before: int) -> int:
        """Delete readings older than `before` after they were summed up per 15 minutes; how many."""

    def count(self, site: str) -> int:
        """How many readings of the site are stored."""

    def close(self) -> None:
        """Release files and connections."""


class Ledger(Protocol):
    """The operational store as ingest uses it."""

    def sites(self) -> list[str]:
        """Ids of the sites that have a catalogue."""

    def acquire(self, site: str, worker: str, now: int, ttl: int, epoch: int | None = None) -> int | None:
        """Take the site's lease for `ttl` ms (a new epoch; it must be free, expired, or this worker's own), or renew
        the one of `epoch`. The epoch, or None while another worker holds it. A store that workers of several machines
        share measures by its own clock instead of `now`."""

    def release(self, site: str, worker: str, epoch: int) -> None:
        """Let the lease of `epoch` run out now, so that another worker need not wait for it. Nothing when it is lost
        already."""

    def leases(self) -> list[Lease]:
        """Every lease that was ever granted, by site."""

    def positions(self, site: str) -> dict[str, Position]:
        """The position of each agent."""

    def owners(self, site: str) -> dict[str, str]:
        """Which agent owns each point that is owned."""

    def commit(self, commit: Commit) -> Committed:
        """Write everything in one transaction. FencedError when the epoch is no longer the lease's.
        StoreUnavailableError when it may or may not have been written: the very same commit again (same `serial`, not
        0) is written once in all, as long as no other commit of the epoch came in between."""

    def journal(self, site: str, after: int, limit: int) -> list[JournalEntry]:
        """Entries with n > after, ascending, at most `limit`."""

    def journal_end(self, site: str) -> int:
        """The number of the newest entry; 0 when there was none."""

    def journal_bytes(self, site: str) -> int:
        """How many bytes the site's journal holds now: what its bound is compared with."""

    def snapshot(self, site: str) -> tuple[int, bytes] | None:
        """The newest engine snapshot and the entry it was taken after."""

    def save_snapshot(self, site: str, n: int, blob: bytes, now: int) -> None:
        """Keep the snapshot taken after entry `n`, replacing the older one; one that is older than it changes
        nothing."""

    def cursor(self, site: str, name: str) -> int:
        """How far the reader `name` of the journal has come; 0 at first."""

    def set_cursor(self, site: str, name: str, n: int, dead_letters: Sequence[DeadLetter] = ()) -> None:
        """Everything up to entry `n` is done, but for what became these dead letters; written together."""

    def trim(self, site: str, keep_after: int) -> int:
        """Delete entries with n <= min(keep_after, every cursor, the snapshot); how many. Nothing while no reader has
        set a cursor, or there is no snapshot."""

    def replay_requests(self, site: str, limit: int) -> list[DeadLetter]:
        """Dead letters with topics of the site whose replay was asked for and not done, oldest first, at most
        `limit`; `Commit.replayed` settles them."""

    def flush_latest(self, site: str, rows: Sequence[Latest]) -> None:
        """Write the newest readings that changed."""

    def site_revision(self, site: str, number: int | None = None) -> Revision | None:
        """The catalogue's newest (or that) revision."""

    def rules_revision(self, site: str, number: int | None = None) -> Revision | None:
        """The rules' newest (or that) revision."""

    def newest_change(self, site: str) -> ConfigChange | None:
        """The newest revisions by number (rules 0: none yet); None for a site without a catalogue. No document is read:
        ingest asks each second, and that of a big site has megabytes."""

    def alarms(self, where: AlarmFilter, limit: int, offset: int = 0) -> tuple[list[Alarm], int]:
        """One page of alarms as they are now, and how many meet the filter in all; as in Console."""

    def beat(self, process: ProcessRow) -> None:
        """A sign of life of a process."""


class Console(Protocol):
    """The operational store as the API and the command line use it."""

    def sites(self) -> list[str]: ...  # noqa: D102 - as in Ledger

    def site_revision(self, site: str, number: int | None = None) -> Revision | None: ...  # noqa: D102 - as in Ledger

    def rules_revision(self, site: str, number: int | None = None) -> Revision | None: ...  # noqa: D102 - as in Ledger

    def commissioned_at(self, site: str) -> int | None:
        """When the site went live; None while it is being commissioned."""

    def beat(self, process: ProcessRow) -> None: ...  # noqa: D102 - as in Ledger

    def apply_site(self, site: str, documents: Sequence[tuple[str, str]], by: str, now: int) -> Revision:
        """Store a catalogue revision (the same documents again give the present one back)."""

    def apply_rules(
        self, site: str, documents: Sequence[tuple[str, str]], by: str, now: int, why: str = ""
    ) -> Revision:
        """Store a rules revision (the same documents again give the present one back), audited. NotFoundError for a
        site without a catalogue."""

    def rules_revisions(self, site: str, limit: int, before: int | None = None) -> list[Revision]:
        """The rules' revisions, newest first; numbers below `before`."""

    def commission(self, site: str, at: int | None, by: str, now: int) -> None:
        """Set when the site goes live, or None for "still being commissioned"; audited. NotFoundError for a site
        without a catalogue."""

    def latest(self, site: str) -> list[Latest]:
        """The newest reading of every point."""

    def alarms(self, where: AlarmFilter, limit: int, offset: int = 0) -> tuple[list[Alarm], int]:
        """One page, and how many there are in all: first what is active and unanswered, then what is open otherwise,
        then what is normal; within each by change, newest first."""

    def alarm(self, site: str, key: AlarmKey) -> Alarm | None:
        """One alarm, or None when it was never raised."""

    def command(self, site: str, event: AlarmEvent, expected_version: int | None = None) -> Transition:
        """Apply a person's event to the alarm, audited, in one transaction. NotFoundError, ConflictError (version),
        IllegalTransitionError."""

    def remove_from_service(
        self, site: str, asset: str, by: str, why: str, until: int | None, now: int
    ) -> tuple[Transition, ...]:
        """Take the asset out of service: an overlay over each alarm of it, those of the future too; audited, in one
        transaction. IllegalTransitionError when it is out already, or who or why is not said."""

    def return_to_service(self, site: str, asset: str, by: str, note: str, now: int) -> tuple[Transition, ...]:
        """Put the asset back into service; audited. IllegalTransitionError when it is in service."""

    def out_of_service(self, site: str) -> dict[str, Overlay]:
        """The assets that are out of service: who, why, since when and until when."""

    def transitions(self, where: TransitionFilter, limit: int, newest_first: bool = True) -> list[Transition]:
        """Transitions by id."""

    def excursions(self, site: str, point: str | None, start: int, end: int) -> list[Excursion]:
        """Excursions that overlap [start, end), by start."""

    def excursion(self, site: str, number: int) -> Excursion | None:
        """The excursion of that id, or None."""

    def food_decisions(self, site: str, excursions: Sequence[int]) -> list[FoodDecision]:
        """Every decision about the food of these excursions, the newest of each last."""

    def decide_food(self, decision: FoodDecision, supersedes: int | None = None) -> FoodDecision:
        """Add the decision, audited, in one transaction. NotFoundError without such an excursion; ConflictError when
        its newest decision is not `supersedes` (None: there was none)."""

    def discoveries(self, site: str) -> list[Discovery]:
        """Points that are published and not in the catalogue."""

    def dead_letters(self, site: str | None, limit: int, before: int | None = None) -> list[DeadLetter]:
        """Newest first; ids below `before`."""

    def ask_replay(self, ids: Sequence[int], by: str, now: int) -> int:
        """Ask ingest to put these dead letters through acceptance again, audited; how many were not asked for yet."""

    def agents(self, site: str) -> list[AgentRow]:
        """Every agent seen at the site."""

    def processes(self) -> list[ProcessRow]:
        """Every process that gave a sign of life."""

    def audit(self, site: str | None, limit: int, before: int | None = None) -> list[dict[str, object]]:
        """Audit entries, newest first."""

    def purge_before(self, site: str, what: Purgeable, before: int, by: str, now: int) -> int:
        """Delete what is older than `before`, audited; how many. CaretakerError when `before` is
        within the time for which records of this kind are kept."""


class Outbox(Protocol):
    """The operational store as notify uses it."""

    def pending_notices(self, limit: int) -> list[Transition]:
        """Transitions in the notification outbox that nobody has settled, by id."""

    def settle_notice(self, notice: SentNotice) -> None:
        """Log what was decided and sent, and take the transition out of the outbox, in one transaction."""

    def settle_notices(self, notices: Sequence[SentNotice]) -> None:
        """As `settle_notice` for each, all in one transaction."""

    def lift_expired(self, now: int) -> tuple[Transition, ...]:
        """Lift every overlay whose `until` is not after `now` (UTC ms), at all sites: each a transition of its own,
        reason `expired`, at its `until`. Harmless to call again, and from several processes."""

    def notices(self, limit: int) -> Iterator[SentNotice]:
        """The delivery log, newest first."""

    def notices_of(self, transition_ids: Sequence[int]) -> dict[int, SentNotice]:
        """What was decided about each of these transitions and sent, by id; only of those that are settled."""

    def sent_once(self, subject: str) -> dict[str, str]:
        """What was sent about a subject that is no single transition: channel -> outcome."""

    def note_sent(self, subject: str, site: str, channel: str, at: int, outcome: str) -> None:
        """Keep that the subject was settled on that channel at `at` (UTC ms); a second time changes nothing."""

    def sites(self) -> list[str]: ...  # noqa: D102 - as in Ledger

    def commissioned_at(self, site: str) -> int | None: ...  # noqa: D102 - as in Console

    def alarms(self, where: AlarmFilter, limit: int, offset: int = 0) -> tuple[list[Alarm], int]: ...  # noqa: D102 - as in Console

    def alarm(self, site: str, key: AlarmKey) -> Alarm | None: ...  # noqa: D102 - as in Console

    def latest(self, site: str) -> list[Latest]: ...  # noqa: D102 - as in Console

    def transitions(self, where: TransitionFilter, limit: int, newest_first: bool = True) -> list[Transition]: ...  # noqa: D102 - as in Console

    def site_revision(self, site: str, number: int | None = None) -> Revision | None: ...  # noqa: D102 - as in Ledger

    def beat(self, process: ProcessRow) -> None: ...  # noqa: D102 - as in Ledger
