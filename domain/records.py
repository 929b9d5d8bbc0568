"""What passes between ingest, the stores, notify and the API: frozen records, one meaning each; times are UTC ms."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from domain.alarms import AlarmEvent, AlarmState, OverlayKind, Priority, Transition
from domain.batch import Float64s, Gap, Int64s, ReadingBatch
from domain.readings import Quality
from domain.reasons import DeadReason


class EntryKind(StrEnum):
    """What a journal entry is; replaying the entries in order through the engine gives its state again."""

    BATCH = "batch"  # readings were accepted: payload is `domain.batch.encode_batch`
    UNJUDGED = "unjudged"  # readings that the judge fails on: as a batch, but never given to it
    CLOCK = "clock"  # ingest's own clock moved: payload is `Clock`
    CONFIG = "config"  # catalogue or rules changed: payload is `ConfigChange`
    REVIEW = "review"  # the past of points with late readings was judged again: payload is `Review`


@dataclass(frozen=True, slots=True)
class Clock:
    """Ingest's time and whether its broker connection stood: what no-data and foreign devices are judged by."""

    now: int
    connected: bool


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """Which revisions are in force from this entry on."""

    site_revision: int
    rules_revision: int
    commissioned_at: int | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """What was judged again because of late readings, at ingest's time `now`: which points by the rules that look at
    them alone, and which rules (rule, point) that look at others too."""

    now: int
    points: tuple[str, ...]
    several: tuple[tuple[str, str], ...] = ()


Content = ReadingBatch | Clock | ConfigChange | Review


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Entry `n` of a site's journal (1, 2, 3, … without holes until trimmed)."""

    site: str
    n: int
    received: int
    kind: EntryKind
    content: Content


@dataclass(frozen=True, slots=True)
class Position:
    """How far an agent's packs are settled: everything of `boot` up to and including `through`."""

    agent: str
    boot: str
    through: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message (or part of one) that was not accepted, with the raw bytes and the reason in one word and in full."""

    site: str
    received: int
    topic: str
    payload: bytes
    reason: DeadReason
    detail: str
    id: int = 0
    replayed: int | None = None  # when it was put through acceptance again


@dataclass(frozen=True, slots=True)
class Discovery:
    """A point that somebody publishes and the catalogue does not know; stored, unjudged."""

    site: str
    point: str
    agent: str
    unit: str
    first_seen: int
    last_seen: int
    value: float


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that one batch of one site changes, written in one transaction or not at all.

    `worker` and `epoch` are the site's lease. `entries` get the next journal numbers. `events` are applied to the
    alarms in order by `domain.lifecycle.apply`. `births` are the raw birth documents of agents that announced
    themselves, `statuses` are agent -> online (True) or offline (False). `serial` counts the commits of one epoch from
    1, so that the same commit again is known for what it is; 0 means not counted.
    """

    site: str
    worker: str
    epoch: int
    received: int
    entries: tuple[tuple[EntryKind, Content], ...] = ()
    positions: tuple[Position, ...] = ()
    events: tuple[AlarmEvent, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    discoveries: tuple[Discovery, ...] = ()
    owners: tuple[tuple[str, str], ...] = ()  # (point, agent) newly owned
    births: tuple[tuple[str, bytes], ...] = ()
    statuses: tuple[tuple[str, bool, str], ...] = ()  # (agent, online, boot)
    rules_revision: int = 0
    serial: int = 0
    replayed: tuple[int, ...] = ()  # ids of dead letters that were put through acceptance again


@dataclass(frozen=True, slots=True)
class Committed:
    """The journal number after the commit, and the transitions with their ids."""

    n: int
    transitions: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class Lease:
    """Which worker writes for a site, in which epoch, and until when (UTC ms of the store's clock)."""

    site: str
    worker: str
    epoch: int
    until: int


@dataclass(frozen=True, slots=True)
class Revision:
    """One stored revision of a document set (`name` -> YAML text) of a site: the catalogue or the rules. `why` is what
    whoever saved it said; empty where nothing was said."""

    site: str
    number: int
    documents: tuple[tuple[str, str], ...]
    applied_at: int
    applied_by: str
    why: str = ""


class Latest(NamedTuple):
    """The newest reading of a point by event time, with the time ingest received it."""

    point: str
    time: int
    value: float
    quality: Quality
    received: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent as the site knows it: `birth` is its JSON text, empty until it announced itself."""

    agent: str
    online: bool
    since: int
    boot: str
    through: int
    birth: str = ""


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One running process: `ingest`, `web`, …; `beat_at` is its last sign of life, `info` its JSON figures."""

    name: str
    pid: int
    started_at: int
    beat_at: int
    info: str = "{}"


@dataclass(frozen=True, slots=True)
class Excursion:
    """The interval in which a point was out of its limit: `start` to `end` (None: still out)."""

    site: str
    rule: str
    point: str
    start: int
    end: int | None
    priority: Priority | None
    id: int = 0


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Which alarms to list; empty tuples mean any. `point` may be an asset id or a point name.

    `set_aside` asks for those under any overlay, `overlay` for those under one of that kind.
    """

    site: str | None = None
    states: tuple[AlarmState, ...] = ()
    priorities: tuple[Priority, ...] = ()
    rule: str | None = None
    point: str | None = None
    overlay: OverlayKind | None = None
    set_aside: bool = False


@dataclass(frozen=True, slots=True)
class TransitionFilter:
    """Which transitions to list: ids strictly between `after` and `before`, event time in [start, end)."""

    site: str | None = None
    rule: str | None = None
    point: str | None = None
    after: int = 0
    before: int | None = None
    start: int | None = None
    end: int | None = None


def _nothing() -> Int64s:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one point in ascending time: columns of equal length. `received` (UTC ms) is when ingest took each;
    empty where nobody says."""

    time: Int64s
    value: Float64s
    quality: tuple[Quality, ...]
    texts: dict[int, str] = field(default_factory=dict)
    received: Int64s = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Windows:
    """Readings of one point summed up per step: `start` (n,) is the beginning of each non-empty window in UTC ms.

    `low`, `mean`, `high` and `last` are over readings of good or uncertain quality (NaN where there is none);
    `count` counts those, `bad` the others.
    """

    start: Int64s
    low: Float64s
    mean: Float64s
    high: Float64s
    last: Float64s
    count: Int64s
    bad: Int64s


@dataclass(frozen=True, slots=True)
class Refused:
    """A row of a batch (by its index) that the series store cannot keep, with the store's own words."""

    row: int
    detail: str


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of the rows of a batch; the three numbers and the refused rows add up to its length."""

    stored: int
    duplicates: int
    collisions: int
    refused: tuple[Refused, ...] = ()


class Purgeable(StrEnum):
    """What of the operational store may be deleted when it is old; everything else is kept."""

    DEAD_LETTERS = "dead_letters"
    DISCOVERIES = "discoveries"
    EXCURSIONS = "excursions"
    NOTICES = "notices"


@dataclass(frozen=True, slots=True)
class SentNotice:
    """What notify decided about a transition, and what the channel said."""

    transition_id: int
    decision: str
    channel: str
    at: int
    outcome: str


__all__ = [  # the names other packages import from here
    "AgentRow", "AlarmFilter", "AppendResult", "Clock", "Commit", "Committed", "ConfigChange", "Content", "DeadLetter",
    "DeadReason", "Discovery", "EntryKind", "Excursion", "Gap", "JournalEntry", "Latest", "Lease", "Position",
    "ProcessRow", "Purgeable", "Review", "Revision", "SentNotice", "Series", "TransitionFilter", "Windows",
]  # fmt: skip
