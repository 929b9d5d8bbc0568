"""What no longer stands after a change of rules or catalogue: which conditions are forgotten, and why alarms close."""

from collections.abc import Iterator, Mapping, Sequence

from domain.alarms import Reason
from rules.plan import Plan
from rules.points import PointTable
from rules.silence import Silence


def closing_reason(has_rule: bool, has_point: bool) -> Reason:
    """Why a definition that no longer stands closes its alarm: the rule or the point is gone, or it was changed."""
    if not has_rule:
        return Reason.RULE_REMOVED
    return Reason.RULE_CHANGED if has_point else Reason.POINT_REMOVED


def forget(
    table: PointTable, silence: Silence, wanted: Mapping[str, Sequence[Plan]]
) -> Iterator[tuple[Plan, str, int]]:
    """Forget every condition that is not wanted of its point any more; of the active ones plan, point and level."""
    for number, name in enumerate(table.names):
        for track in table.tracks[number]:
            plan, level = track.condition.plan, track.condition.level
            if level >= 0 and plan not in wanted.get(name, ()):
                yield plan, name, level
        if name not in wanted and table.tracks[number]:
            table.set_plans(number, [], None)
    kept: list[int] = []
    for slot, (name, plan) in enumerate(zip(silence.slot_points, silence.plans, strict=True)):
        if plan in wanted.get(name, ()):
            kept.append(slot)
        elif silence.levels[slot] >= 0:
            yield plan, name, silence.levels[slot]
    if len(kept) < len(silence.plans):
        silence.keep(kept)
