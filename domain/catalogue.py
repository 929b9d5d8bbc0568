"""What there is to watch: Site > Area > Asset > Point, as frozen values.

The catalogue's home is the database (`caretaker site apply FILE`); this module only says what a catalogue is and
answers look-ups. `domain.catalogue_file` reads the YAML form.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from domain.calendar import Schedule
from domain.ids import PointName
from domain.units import Unit

ASSET_TYPES = (
    "refrigerator", "freezer", "cold_room", "sample_fridge", "hot_holding", "cold_dish_room", "dishwasher",
    "energy_meter", "distribution_board", "boiler", "pump", "gas_detector", "room", "other",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Label:
    """A name for people in both languages of the console; `zh` falls back to `en`."""

    en: str
    zh: str = ""

    def in_language(self, language: str) -> str:
        """The text for `zh…`, else English."""
        return self.zh if language.startswith("zh") and self.zh else self.en


@dataclass(frozen=True, slots=True)
class Point:
    """One measured quantity of one asset.

    `unit` is the canonical unit it is stored in; `interval` its expected spacing in ms (None: no gap rule and no
    default no-data delay); `states` maps text states to the numbers that are stored, e.g. off 0, run 1; `agent` owns
    the point (None: the first agent that publishes it).
    """

    asset: str
    metric: str
    unit: Unit
    interval: int | None = None
    label: Label = Label("")
    states: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    agent: str | None = None

    @property
    def name(self) -> str:
        """`asset/metric`."""
        return str(PointName(self.asset, self.metric))

    def state_name(self, value: float) -> str | None:
        """The text state that stands for the number, if any does."""
        return next((text for text, number in self.states.items() if number == value), None)


@dataclass(frozen=True, slots=True)
class Asset:
    """A thing with points: a fridge, a meter. `content` says what is in it, for people.

    `fed_by` is the asset (a meter or a board) that its electricity comes through; None when unknown or the topmost.
    """

    id: str
    type: str
    area: str
    label: Label
    points: tuple[Point, ...] = ()
    content: Label = Label("")
    fed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Area:
    """A room or building part of a site."""

    id: str
    label: Label


@dataclass(frozen=True)
class Catalogue:
    """One site with everything in it.

    `commissioned_at` (UTC ms): transitions before it need no answer; None means the site is still being commissioned.
    `timezone` is an IANA name, for pages and schedules; readings are always UTC.
    """

    site: str
    label: Label
    timezone: str = "UTC"
    commissioned_at: int | None = None
    areas: tuple[Area, ...] = ()
    assets: tuple[Asset, ...] = ()
    schedules: Mapping[str, Schedule] = field(default_factory=lambda: MappingProxyType({}))

    def points(self) -> Iterator[Point]:
        """Every point, in the file's order."""
        for asset in self.assets:
            yield from asset.points

    @cached_property
    def by_name(self) -> Mapping[str, Point]:
        """Points by `asset/metric`."""
        return MappingProxyType({point.name: point for point in self.points()})

    @cached_property
    def assets_by_id(self) -> Mapping[str, Asset]:
        """Assets by id."""
        return MappingProxyType({asset.id: asset for asset in self.assets})
