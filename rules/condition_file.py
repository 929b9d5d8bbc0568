"""One condition of a rule file: its YAML node in, a frozen condition or an `InputError` with place and remedy out.

The conditions on derived series stand at the end, one reader each; docs/rules.md has the whole list.
"""

from collections.abc import Callable, Iterable, Mapping

from domain.documents import Node
from domain.ids import check_id, parse_point
from domain.times import DAY, HOUR, MINUTE
from rules.model import Combined, Condition, DerivedLimit, Limit, Mask, Mode, NoData, Part, StateIs, Within
from rules.signals.base_load import BaseLoad
from rules.signals.baseline import USUALS, Baseline
from rules.signals.cumulative import Cumulative
from rules.signals.curve import Curve
from rules.signals.cycles import ShortCycles
from rules.signals.defrost import Asked, Defrost
from rules.signals.out_of_hours import OutOfHours
from rules.signals.rate import Rate
from rules.signals.share import Duty, Mean, Unreadable
from rules.signals.stuck import Stuck
from rules.signals.unbalance import Unbalance

COLD = 8.0  # °C: what reheating begins to rise from, where the rule does not say (GB 31654-2021: 8 to 60 °C)
MOST_DAYS, MOST_BASE_DAYS = 366, 31  # remembered of a point: so many hours or days are kept
LEAST_MEAN = 1.0  # A or V: below it the unbalance of phases is that of noise
MOSTLY = 0.5  # a probe is unreadable when more than this part of its time is; a loose plug gives a good one in between
DEFROST_RISE = 5.0  # degrees: real freezers show humps from -18 °C to -2 … +6 °C
DEFROST_WITHIN = 30 * MINUTE  # an electric defrost heats for 15 to 30 minutes


def read_condition(node: Node, parts: Mapping[str, Node]) -> Condition:
    """The condition that these entries of the node describe."""
    kinds = [kind for kind in KINDS if kind in parts]
    if not kinds:
        raise node.error("the condition is missing", f"write one of: {', '.join(KINDS)}")
    if len(kinds) > 1:
        raise parts[kinds[1]].error(
            f"one condition cannot be both {kinds[0]!r} and {kinds[1]!r}", "write two rules, one for each"
        )
    if "deadband" in parts and kinds[0] not in ("above", "below"):
        raise parts["deadband"].error("a deadband belongs to a limit", "use it with above or below, or leave it out")
    if kinds[0] == "state":
        return StateIs(_states(parts["state"]))
    if kinds[0] == "no_data":
        return NoData(positive(parts["no_data"], "write how long silence may last, for example 15min"))
    if kinds[0] in DERIVED:
        return DERIVED[kinds[0]](parts[kinds[0]])
    return Limit(*_limit(node, parts))


def positive(node: Node, remedy: str) -> int:
    """A duration longer than zero."""
    duration = node.duration()
    if duration <= 0:
        raise node.error("the time must be longer than zero", remedy)
    return duration


def one_or_more(node: Node) -> Iterable[Node]:
    """The entries of a list, or the one value that stands for it."""
    return node.items() if node.is_list else (node,)


def kind_of(condition: Condition) -> str:
    """What the condition is called in messages: levels of one rule are of one kind."""
    if isinstance(condition, DerivedLimit):
        return type(condition.signal).__name__.lower()
    if isinstance(condition, Combined):
        return condition.mode.value
    if isinstance(condition, Limit):
        return "above" if condition.above is not None else "below"
    return "state" if isinstance(condition, StateIs) else "no_data"


def gravity_of(condition: Condition) -> float:
    """A number that grows with gravity among conditions of one kind; 0 where there is no more or less."""
    if isinstance(condition, Limit | DerivedLimit):
        if isinstance(condition, DerivedLimit) and condition.at_least is not None:
            return condition.at_least
        if condition.above is not None:
            return condition.above
        assert condition.below is not None
        return -condition.below
    return condition.delay if isinstance(condition, NoData) else 0.0


def _states(node: Node) -> tuple[str | float, ...]:
    found: list[str | float] = []
    for item in one_or_more(node):
        raw = item.scalar()
        state = float(raw) if isinstance(raw, int | float) and not isinstance(raw, bool) else item.text()
        if state in found:
            raise item.error(f"the state {item.text()!r} stands here twice", "name each state once")
        if state == "":
            raise item.error("the state has no name", "write the state's name in the catalogue, for example fault")
        found.append(state)
    if not found:
        raise node.error("there is no state", "write one, for example {state: fault}")
    return tuple(found)


def _limit(node: Node, parts: Mapping[str, Node]) -> tuple[float | None, float | None, float]:
    """Above, below and deadband."""
    deadband = parts["deadband"].number() if "deadband" in parts else 0.0
    if deadband < 0:
        raise parts["deadband"].error(
            f"the deadband is {deadband:g}, but it must be 0 or more",
            "write how far the value must come back inside the limit before the alarm clears",
        )
    return (*_side(node, parts), deadband)


def _side(node: Node, parts: Mapping[str, Node]) -> tuple[float | None, float | None]:
    if ("above" in parts) == ("below" in parts):
        raise node.error("exactly one of 'above' and 'below' is needed", "write for example above: 8.0")
    if "above" in parts:
        return parts["above"].number(), None
    return None, parts["below"].number()


def _time(parts: Mapping[str, Node], key: str) -> int:
    return positive(parts[key], f"write for example {key}: 2h")


def _rate(node: Node) -> DerivedLimit:
    parts = node.fields(("per", "over"), ("above", "below", "deadband"))
    return DerivedLimit(Rate(_time(parts, "over"), _time(parts, "per")), *_limited(node, parts))


def _limited(node: Node, parts: Mapping[str, Node]) -> tuple[float | None, float | None, None, float]:
    above, below, deadband = _limit(node, parts)
    return above, below, None, deadband


def _stuck(node: Node) -> DerivedLimit:
    parts = node.fields(("for",), ("within",))
    within = parts["within"].number() if "within" in parts else 0.0
    if within < 0:
        raise parts["within"].error("it must be 0 or more", "write by how much a stuck value may still tremble")
    longest = _time(parts, "for")
    return DerivedLimit(Stuck(within, longest), at_least=longest)


def _cumulative(node: Node) -> DerivedLimit:
    parts = node.fields(("longer_than", "in"), ("above", "below"))
    window, longest = _time(parts, "in"), _time(parts, "longer_than")
    if longest > window:
        raise parts["longer_than"].error(
            "it is longer than the window it is counted in, so it is never reached", "make 'in' longer, for example 24h"
        )
    return DerivedLimit(Cumulative(window, *_side(node, parts)), at_least=longest)


def _cooling(node: Node) -> DerivedLimit:
    parts = node.fields(("from", "stages"))
    start = parts["from"].number()
    stages: list[tuple[float, int]] = []
    for item in parts["stages"].items():
        entry = item.fields(("to", "within"))
        target, within = entry["to"].number(), _time(entry, "within")
        if target >= (stages[-1][0] if stages else start):
            raise entry["to"].error("each stage of cooling must be colder than the one before", "write them in order")
        if stages and within <= stages[-1][1]:
            raise entry["within"].error(
                "the times count from the start of cooling, so each must be longer than the one before",
                "for 2 h more after a stage of 2 h write 4h",
            )
        stages.append((target, within))
    if not stages:
        raise parts["stages"].error("there is no stage", "write for example [{to: 21, within: 2h}]")
    return DerivedLimit(Curve(start, tuple(stages)), at_least=1.0)


def _reheating(node: Node) -> DerivedLimit:
    parts = node.fields(("to", "within"), ("from",))
    start = parts["from"].number() if "from" in parts else COLD
    target = parts["to"].number()
    if target <= start:
        raise parts["to"].error(f"reheating must end hotter than it starts, at {start:g}", "write for example to: 70")
    return DerivedLimit(Curve(start, ((target, _time(parts, "within")),)), at_least=1.0)


def _duty(node: Node) -> DerivedLimit:
    parts = node.fields(("on_above", "over"), ("above", "below", "deadband"))
    limits = _limited(node, parts)
    share = limits[0] if limits[0] is not None else limits[1]
    if share is None or not 0 <= share <= 1:
        raise node.error("the share of time must lie between 0 and 1", "for nine tenths of the time write above: 0.9")
    return DerivedLimit(Duty(_time(parts, "over"), parts["on_above"].number()), *limits)


def _unreadable(node: Node) -> DerivedLimit:
    parts = node.fields(("over",), ("above",))
    share = parts["above"].number() if "above" in parts else MOSTLY
    if not 0 <= share < 1:
        raise parts["above"].error("the share of time must be at least 0 and less than 1", "for half of it write 0.5")
    return DerivedLimit(Unreadable(_time(parts, "over")), above=share)


def _mean(node: Node) -> DerivedLimit:
    parts = node.fields(("over",), ("above", "below", "deadband"))
    return DerivedLimit(Mean(_time(parts, "over")), *_limited(node, parts))


def _unbalance(node: Node) -> DerivedLimit:
    parts = node.fields(("of", "above_percent"), ("deadband", "least_mean"))
    metrics: list[str] = []
    for item in parts["of"].items():
        metric = _name(item, lambda text: check_id(text, "metric"))
        if metric in metrics:
            raise item.error(f"the metric {metric!r} stands here twice", "name each phase once")
        metrics.append(metric)
    if len(metrics) < 2:
        raise parts["of"].error(
            "an unbalance needs at least two metrics", "write for example of: [current_l1, current_l2, current_l3]"
        )
    least = _not_below_zero(parts, "least_mean", LEAST_MEAN, "write how large the mean must be to be judged")
    signal = Unbalance(tuple(metrics), least)
    return DerivedLimit(signal, above=_percent(parts), deadband=_deadband(parts))


def _baseline(node: Node) -> DerivedLimit:
    parts = node.fields(("above_percent", "of"), ("weeks", "days", "over", "like", "deadband"))
    of = parts["of"].text(one_of=tuple(USUALS))
    key, other, least, usual, most = USUALS[of]
    if other in parts:
        raise parts[other].error(f"{other} do not go with {of}", f"write for example {key}: {usual}")
    count = parts[key].integer(least=least) if key in parts else usual
    if count > most:
        raise parts[key].error(f"at most {most} {key} are remembered", f"write for example {key}: {usual}")
    hours = _whole(parts, "over", HOUR, 24) if "over" in parts else 1
    like = _name(parts["like"], lambda text: check_id(text, "schedule")) if "like" in parts else ""
    weeks, days = (count, 0) if key == "weeks" else (4, count)
    signal = Baseline(weeks=weeks, hours=hours, like=like, days=days)
    return DerivedLimit(signal, above=_percent(parts), deadband=_deadband(parts))


def _out_of_hours(node: Node) -> DerivedLimit:
    parts = node.fields(("schedule", "above_percent"), ("over", "deadband"))
    days = _whole(parts, "over", DAY, MOST_DAYS) if "over" in parts else 7
    share = _percent(parts)
    if share >= 100:
        raise parts["above_percent"].error("a share is never more than 100 %", "write for example above_percent: 25")
    hours = _name(parts["schedule"], lambda text: check_id(text, "schedule"))
    return DerivedLimit(OutOfHours(hours=hours, days=days), above=share, deadband=_deadband(parts))


def _base_load(node: Node) -> DerivedLimit:
    parts = node.fields(("above",), ("over", "deadband"))
    days = _whole(parts, "over", DAY, MOST_BASE_DAYS) if "over" in parts else 1
    return DerivedLimit(BaseLoad(days=days), *_limited(node, parts))


def _whole(parts: Mapping[str, Node], key: str, unit: int, most: int) -> int:
    """So many whole hours or days."""
    time = _time(parts, key)
    if time % unit or time > most * unit:
        each = "hours" if unit == HOUR else "days"
        raise parts[key].error(f"it must be whole {each}, at most {most}", f"write for example {key}: 1{each[0]}")
    return time // unit


def _percent(parts: Mapping[str, Node]) -> float:
    return _not_below_zero(parts, "above_percent", 0.0, "write a percentage, for example above_percent: 2")


def _deadband(parts: Mapping[str, Node]) -> float:
    remedy = "write by how much it must come back inside the limit before the alarm clears"
    return _not_below_zero(parts, "deadband", 0.0, remedy)


def _not_below_zero(parts: Mapping[str, Node], key: str, omitted: float, remedy: str) -> float:
    if key not in parts:
        return omitted
    number = parts[key].number()
    if number < 0:
        raise parts[key].error(f"it is {number:g}, but it must be 0 or more", remedy)
    return number


def _short_cycles(node: Node) -> DerivedLimit:
    parts = node.fields(("on_above", "shorter_than", "count", "in"))
    cycles = ShortCycles(parts["on_above"].number(), _time(parts, "shorter_than"), _time(parts, "in"))
    return DerivedLimit(cycles, at_least=parts["count"].integer(least=1))


def _defrost(asked: Asked) -> Callable[[Node], DerivedLimit]:
    def read(node: Node) -> DerivedLimit:
        needed = () if asked is Asked.ON else ("longer_than",)
        parts = node.fields(needed, ("rise", "within"))
        rise = parts["rise"].number() if "rise" in parts else DEFROST_RISE
        if rise <= 0:
            raise parts["rise"].error("it must be more than 0", "write by how many degrees a defrost warms the air")
        within = _time(parts, "within") if "within" in parts else DEFROST_WITHIN
        longest = _time(parts, "longer_than") if needed else HOUR
        return DerivedLimit(Defrost(asked, rise, within, longest), at_least=longest if needed else 1.0)

    return read


def read_active(node: Node) -> Mask:
    """What `active: SCHEDULE` says: outside its hours the rule's time does not count."""
    return Mask(Part(Combined(Mode.NOT, (Part(Within(_name(node, lambda text: check_id(text, "schedule")))),))))


def _part(node: Node) -> Part:
    """A condition with its delays and, when it is not about the rule's own point, where it is read."""
    parts = node.fields((), (*CONDITION_LINES, "schedule", *PART_LINES))
    if "schedule" in parts:
        if len(parts) > 1:
            raise node.error("a schedule is a condition by itself", "combine it with others by all or any")
        return Part(Within(_name(parts["schedule"], lambda text: check_id(text, "schedule"))))
    if "metric" in parts and "point" in parts:
        raise parts["metric"].error("a point is named already", "leave one of 'metric' and 'point' out")
    if "no_data" in parts:
        raise parts["no_data"].error(
            "silence is judged by arrival and cannot be combined", "write a rule of its own for no_data"
        )
    condition = read_condition(node, parts)
    if isinstance(condition, Combined) and ("metric" in parts or "point" in parts):
        raise node.error("what is combined has several inputs", "write metric or point inside, at each condition")
    if "unbalance" in parts and ("metric" in parts or "point" in parts):
        raise node.error("an unbalance names its metrics itself", "leave 'metric' and 'point' out")
    return Part(
        condition,
        metric=_name(parts["metric"], lambda text: check_id(text, "metric")) if "metric" in parts else "",
        point=_name(parts["point"], lambda text: str(parse_point(text))) if "point" in parts else "",
        on_delay=parts["on_delay"].duration() if "on_delay" in parts else 0,
        off_delay=parts["off_delay"].duration() if "off_delay" in parts else 0,
    )


def _name(node: Node, check: Callable[[str], str]) -> str:
    try:
        return check(node.text())
    except ValueError as error:
        raise node.error(str(error)) from None


def _combined(mode: Mode) -> Callable[[Node], Combined]:
    def read(node: Node) -> Combined:
        if mode is Mode.NOT:
            return Combined(mode, (_part(node),))
        parts = tuple(_part(item) for item in node.items())
        if len(parts) < 2:
            raise node.error(f"'{mode}' combines at least two conditions", "write a list of them, or the one alone")
        return Combined(mode, parts)

    return read


def read_masks(node: Node) -> tuple[Mask, ...]:
    """The masks of a rule: one, or a list."""
    return tuple(_mask(item) for item in one_or_more(node))


def _mask(node: Node) -> Mask:
    parts = node.fields((), (*MASK_KINDS, "for_at_most", "tail"))
    kinds = [kind for kind in MASK_KINDS if kind in parts]
    if len(kinds) != 1:
        raise node.error(f"a mask is exactly one of: {', '.join(MASK_KINDS)}", "write an entry for each")
    what = parts[kinds[0]]
    if kinds[0] == "when":
        part = _part(what)
    elif kinds[0] == "door":
        part = Part(StateIs(_states(what)), metric="door")
    elif kinds[0] == "schedule":
        part = Part(Within(_name(what, lambda text: check_id(text, "schedule"))))
    else:
        part = Part(_defrost(Asked.ON)(what))
    at_most = positive(parts["for_at_most"], "leave it out for no end") if "for_at_most" in parts else None
    return Mask(part, at_most, parts["tail"].duration() if "tail" in parts else 0)


DERIVED: Mapping[str, Callable[[Node], DerivedLimit | Combined]] = {
    "rate": _rate,
    "stuck": _stuck,
    "cumulative": _cumulative,
    "cooling": _cooling,
    "reheating": _reheating,
    "duty": _duty,
    "mean": _mean,
    "unreadable": _unreadable,
    "short_cycles": _short_cycles,
    "unbalance": _unbalance,
    "baseline": _baseline,
    "out_of_hours": _out_of_hours,
    "base_load": _base_load,
    "defrost": _defrost(Asked.ON),
    "defrost_missed": _defrost(Asked.SINCE),
    "defrost_endless": _defrost(Asked.LASTS),
    "all": _combined(Mode.ALL),
    "any": _combined(Mode.ANY),
    "not": _combined(Mode.NOT),
}
KINDS = ("above", "below", "state", "no_data", *DERIVED)
CONDITION_LINES = (*KINDS, "deadband")
PART_LINES = ("metric", "point", "on_delay", "off_delay")
MASK_KINDS = ("when", "door", "schedule", "defrost")
