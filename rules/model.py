"""What a rule is: frozen definitions, read from YAML by `rules.loading`, run by `rules.engine`.

All durations are milliseconds, all limits are in the point's canonical unit (`domain.units`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from domain.alarms import Priority
from domain.catalogue import Label
from domain.errors import Place
from domain.food import FoodOption
from domain.incidents import IncidentRule
from rules.signals.known import Signal

_UNTITLED = Label("")


@dataclass(frozen=True, slots=True)
class Limit:
    """True strictly above `above` or strictly below `below` (exactly one is set); a value equal to it is within.

    `deadband` >= 0 shifts the clearing limit inwards: above 8 with deadband 0.5 clears at 7.5 or less.
    """

    above: float | None = None
    below: float | None = None
    deadband: float = 0.0


@dataclass(frozen=True, slots=True)
class StateIs:
    """True while the point is in one of `states`: names of the catalogue, or numbers for points without names."""

    states: tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class NoData:
    """True when nothing fresh has arrived for `delay` ms (time of arrival; see `rules.engine`)."""

    delay: int


@dataclass(frozen=True, slots=True)
class DerivedLimit:
    """A limit on what a signal makes of the readings (exactly one is set); `at_least` is true when it is reached.

    `above`, `below` and `deadband` mean what they mean in a `Limit`, on the derived value.
    """

    signal: Signal
    above: float | None = None
    below: float | None = None
    at_least: float | None = None
    deadband: float = 0.0


@dataclass(frozen=True, slots=True)
class Within:
    """True within the hours of that schedule of the site; stands in masks and combined conditions only."""

    schedule: str


class Mode(StrEnum):
    """How the parts of a combined condition make one."""

    ALL = "all"
    ANY = "any"
    NOT = "not"  # of exactly one part


@dataclass(frozen=True, slots=True)
class Part:
    """A condition on the rule's own point, on another metric of its asset, or on a named point, with delays in ms."""

    condition: "Condition"
    metric: str = ""
    point: str = ""
    on_delay: int = 0
    off_delay: int = 0


@dataclass(frozen=True, slots=True)
class Combined:
    """All of several conditions, any of them, or not the one."""

    mode: Mode
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Mask:
    """While `part` is true, for at most `at_most` ms and `tail` ms after its end, the rule's time does not count."""

    part: Part
    at_most: int | None = None
    tail: int = 0


Condition = Limit | StateIs | NoData | DerivedLimit | Combined | Within


@dataclass(frozen=True, slots=True)
class Level:
    """One limit of a rule with its own delays in ms and its own priority; levels stand in ascending gravity."""

    condition: Condition
    priority: Priority
    on_delay: int = 0
    off_delay: int = 0


class BasisKind(StrEnum):
    """Where a limit comes from: a legal one is locked and cited, an operating one is the site's own."""

    LEGAL = "legal"
    OPERATING = "operating"


@dataclass(frozen=True, slots=True)
class Basis:
    """The document behind a limit; `clause` is empty where it is not verified in the primary text."""

    kind: BasisKind
    document: str = ""
    clause: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class FoodStep:
    """An option that a rule gives after an excursion, when the time out of the limit (ms) is `at_least` and `less_than`
    so long, and the peak `peak_at_most` or `peak_above` so high (None: any). `text` says what to do, `basis` why."""

    option: FoodOption
    text: Label
    basis: Basis
    at_least: int = 0
    less_than: int | None = None
    peak_at_most: float | None = None
    peak_above: float | None = None


@dataclass(frozen=True, slots=True)
class Selector:
    """Which points a rule judges: one point by name, or every point of these asset types with this metric.

    Empty `asset_types` means any type; exactly one of `point` and `metric` is set.
    """

    asset_types: tuple[str, ...] = ()
    metric: str = ""
    point: str = ""


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is told, and after how long (ms) without an answer; the two tuples have equal length."""

    to: tuple[str, ...] = ()
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One frozen definition. `max_gap` (ms): how long one reading counts; None = three intervals of the catalogue."""

    id: str
    applies_to: Selector
    levels: tuple[Level, ...]
    title: Label = _UNTITLED
    latching: bool = False
    max_gap: int | None = None
    masks: tuple[Mask, ...] = ()
    basis: Basis | None = None
    cause: Label = _UNTITLED
    consequence: Label = _UNTITLED
    response: Label = _UNTITLED
    time_to_respond: int | None = None
    escalate: Escalation = Escalation()
    food: tuple[FoodStep, ...] = ()


@dataclass(frozen=True)
class RuleSet:
    """Rules by id, in the file's order; `places` says where each was read (for messages, not part of its meaning).

    `incidents`: which alarms have one cause; they judge no reading.
    """

    rules: Mapping[str, Rule] = field(default_factory=lambda: MappingProxyType({}))
    places: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)
    incidents: Mapping[str, IncidentRule] = field(default_factory=lambda: MappingProxyType({}))
