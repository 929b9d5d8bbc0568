"""Which faults there are, what each may hit, and how a list of them is read from a file.

A fault is a kind, a target and a time span with parameters. Physics faults change the plant, sensor faults the
reading, delivery faults only when (and with which time stamp) it arrives. What a physics fault does to a step is
decided in `simulators.effects`, what a sensor fault does in `simulators.sensors`.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from domain.catalogue import Catalogue
from domain.documents import Node
from domain.times import DAY, iso
from simulators.parameters import COOLED, DEFROSTED, DOORED, METERS


class FaultKind(StrEnum):
    """Everything that can go wrong; the word stands in scenarios and in the ground truth."""

    COMPRESSOR_FAILURE = "compressor_failure"
    DOOR_LEFT_OPEN = "door_left_open"
    POWER_CUT = "power_cut"
    REFRIGERANT_LOSS = "refrigerant_loss"
    ICED_EVAPORATOR = "iced_evaporator"
    CONDENSER_FOULING = "condenser_fouling"
    FAN_FAILURE = "fan_failure"
    MISSED_DEFROST = "missed_defrost"
    ENDLESS_DEFROST = "endless_defrost"
    BOILER_FAULT = "boiler_fault"
    PUMP_FAULT = "pump_fault"
    STUCK_SENSOR = "stuck_sensor"
    SENSOR_DRIFT = "sensor_drift"
    DROP_OUT = "drop_out"
    ERROR_CODE = "error_code"
    CLOCK_SKEW = "clock_skew"
    NETWORK_CUT = "network_cut"


class Target(StrEnum):
    """What a kind of fault hits."""

    ASSET = "asset"
    SUPPLY = "supply"  # a meter or board with all it feeds, or the whole site
    POINT = "point"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a fault may be given; `unit` is for people (`ms` parameters are written as durations)."""

    default: float
    least: float
    most: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """What may be said of one kind: its target, the asset types it can hit (empty: any), its parameters, its effect."""

    target: Target
    effect: str
    types: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=lambda: MappingProxyType({}))


def _spec(target: Target, effect: str, types: tuple[str, ...] = (), **parameters: Parameter) -> FaultSpec:
    return FaultSpec(target, effect, types, MappingProxyType(parameters))


def _share(default: float, least: float = 0.0) -> Parameter:
    return Parameter(default, least, 1.0, "share")


def _ramp(default: int) -> Parameter:
    return Parameter(default, 0, 60 * DAY, "ms")


_K = FaultKind
SPECS: Mapping[FaultKind, FaultSpec] = MappingProxyType(
    {
        _K.COMPRESSOR_FAILURE: _spec(
            Target.ASSET, "no cold and no compressor power; the air rises towards ambient as an exponential", COOLED
        ),
        _K.DOOR_LEFT_OPEN: _spec(
            Target.ASSET, "the door stands open that wide; fast rise, the product lags", DOORED,
            opening=_share(1.0, 0.05),
        ),
        _K.POWER_CUT: _spec(Target.SUPPLY, "no electricity for all that the board feeds", METERS),
        _K.REFRIGERANT_LOSS: _spec(
            Target.ASSET,
            "cooling falls to the remaining share over the ramp, electric power by a third of that; duty climbs",
            COOLED, remaining=_share(0.3), ramp=_ramp(3 * DAY),
        ),
        _K.ICED_EVAPORATOR: _spec(
            Target.ASSET, "the coil blocks: less cold at full power; slow rise, duty up, defrost does not clear it",
            COOLED, remaining=_share(0.25), ramp=_ramp(DAY),
        ),
        _K.CONDENSER_FOULING: _spec(
            Target.ASSET, "less cold for up to a quarter more power; duty climbs over days",
            COOLED, remaining=_share(0.6), ramp=_ramp(5 * DAY),
        ),
        _K.FAN_FAILURE: _spec(
            Target.ASSET, "the cold stays at the coil: the air rises while the compressor runs", COOLED
        ),
        _K.MISSED_DEFROST: _spec(
            Target.ASSET, "no defrost takes place; frost builds up and the machine weakens", DEFROSTED
        ),
        _K.ENDLESS_DEFROST: _spec(Target.ASSET, "the defrost heater stays on and the compressor off", DEFROSTED),
        _K.BOILER_FAULT: _spec(Target.ASSET, "the burner is locked out: status fault, the water cools", ("boiler",)),
        _K.PUMP_FAULT: _spec(Target.ASSET, "the pump stands: status fault, hardly any power", ("pump",)),
        _K.STUCK_SENSOR: _spec(Target.POINT, "the reading stays what it was at the first sample of the fault"),
        _K.SENSOR_DRIFT: _spec(
            Target.POINT, "the reading departs by so much an hour, at most by `most`",
            per_hour=Parameter(0.2, -1000.0, 1000.0, "of the point's unit per hour"),
            most=Parameter(5.0, 0.0, 100_000.0, "of the point's unit"),
        ),
        _K.DROP_OUT: _spec(Target.POINT, "that share of the readings never comes", share=_share(1.0)),
        _K.ERROR_CODE: _spec(
            Target.POINT, "that share of the readings is the sensor's error code, quality bad (good: 1 = unnoticed)",
            code=Parameter(85.0, -1e6, 1e6), share=_share(1.0), good=_share(0.0),
        ),
        _K.CLOCK_SKEW: _spec(
            Target.AGENT, "the agent's time stamps are wrong by so many seconds",
            seconds=Parameter(600.0, -1e7, 1e7, "s"),
        ),
        _K.NETWORK_CUT: _spec(Target.AGENT, "readings of the agent arrive when the network is back"),
    }
)  # fmt: skip

SENSOR_FAULTS = frozenset({_K.STUCK_SENSOR, _K.SENSOR_DRIFT, _K.DROP_OUT, _K.ERROR_CODE})
DELIVERY_FAULTS = frozenset({_K.CLOCK_SKEW, _K.NETWORK_CUT})
PHYSICS_FAULTS = frozenset(FaultKind) - SENSOR_FAULTS - DELIVERY_FAULTS


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault from `start` to `end` (UTC ms, end exclusive) on `target`."""

    id: str
    kind: FaultKind
    target: str
    start: int
    end: int
    parameters: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def active(self, time: int) -> bool:
        """Whether it acts at that moment."""
        return self.start <= time < self.end


def read_fault(node: Node, catalogue: Catalogue, start: int, number: int) -> Fault:
    """The fault that an entry of a list describes. InputError says file, line and remedy.

    `start` (UTC ms) is what offsets such as `1d6h` count from; `number` makes the default id.
    """
    kind, spec, parts = fault_head(node)
    if "start" not in parts:
        raise node.error("'start' is missing", "add start: 1d6h (from the scenario's start) or a time")
    begin = parts["start"].moment(start)
    return make_fault(node, catalogue, kind, spec, parts, begin, _end(node, parts, begin, start), number)


def make_fault(
    node: Node,
    catalogue: Catalogue,
    kind: FaultKind,
    spec: FaultSpec,
    parts: Mapping[str, Node],
    begin: int,
    end: int,
    number: int,
) -> Fault:
    """The fault of already read fields with its times decided by the caller."""
    parameters = {name: parameter.default for name, parameter in spec.parameters.items()}
    parameters |= {name: _parameter(parts[name], name, spec) for name in spec.parameters if name in parts}
    target = check_target(parts["target"], catalogue, kind, spec)
    name = parts["id"].text() if "id" in parts else f"{kind}-{number}"
    return Fault(name, kind, target, begin, end, MappingProxyType(parameters))


def fault_head(node: Node, *further: str) -> tuple[FaultKind, FaultSpec, dict[str, Node]]:
    """Kind, specification and fields of an entry; words other than the kind's and `further` are refused."""
    entries = node.entries()
    if "kind" not in entries:
        raise node.error("'kind' is missing", "add a line 'kind: …' here")
    kind = FaultKind(entries["kind"].text(one_of=tuple(FaultKind)))
    spec = SPECS[kind]
    return kind, spec, node.fields(("kind", "target"), ("id", "start", "duration", "until", *spec.parameters, *further))


def _end(node: Node, parts: Mapping[str, Node], begin: int, start: int) -> int:
    if "duration" in parts and "until" in parts:
        raise parts["until"].error("both duration and until are given", "leave one of them out")
    if "duration" in parts:
        end = begin + parts["duration"].duration()
    elif "until" in parts:
        end = parts["until"].moment(start)
    else:
        raise node.error("the fault has no end", "add duration: 2h, or until: 1d8h")
    if end <= begin:
        where = parts.get("duration", parts.get("until", node))
        raise where.error(
            f"the fault would end ({iso(end)}) before it begins ({iso(begin)})", "give it a positive length"
        )
    return end


def _parameter(node: Node, name: str, spec: FaultSpec) -> float:
    parameter = spec.parameters[name]
    value = float(node.duration()) if parameter.unit == "ms" else node.number()
    if not parameter.least <= value <= parameter.most:
        raise node.error(
            f"{name} must lie between {parameter.least:g} and {parameter.most:g} {parameter.unit}".rstrip()
        )
    return value


def check_target(node: Node, catalogue: Catalogue, kind: FaultKind, spec: FaultSpec) -> str:
    """The target's name when the catalogue has such a thing and the fault can hit it; InputError otherwise."""
    name = node.text()
    agents = {point.agent for point in catalogue.points() if point.agent}
    known = {
        Target.ASSET: {asset.id for asset in catalogue.assets if not spec.types or asset.type in spec.types},
        Target.SUPPLY: {asset.id for asset in catalogue.assets if asset.type in METERS} | {catalogue.site},
        Target.POINT: set(catalogue.by_name),
        Target.AGENT: agents,
    }[spec.target]
    if name in known:
        return name
    asset = catalogue.assets_by_id.get(name)
    if asset is not None and spec.target is not Target.POINT:
        raise node.error(f"{kind} cannot hit {name!r}, a {asset.type}", f"it can hit: {_listed(known)}")
    near = difflib.get_close_matches(name, sorted(known), 1)
    what = "point (asset/metric)" if spec.target is Target.POINT else str(spec.target)
    raise node.error(
        f"there is no {what} {name!r}", f"did you mean {near[0]!r}?" if near else f"known: {_listed(known)}"
    )


def _listed(names: set[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:8]) + (" …" if len(shown) > 8 else "") if shown else "nothing of this site"
