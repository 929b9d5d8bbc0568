"""What a condition says, as the event that the alarm log takes."""

from domain.alarms import AlarmEvent, AlarmKey
from domain.times import MINUTE
from rules.condition import Change
from rules.plan import Plan

RETROACTIVE = MINUTE  # ms between event and detection beyond which a transition is yesterday's news


def event_of(plan: Plan, point: str, change: Change, detected: int, answer: bool) -> AlarmEvent:
    """The change of the plan's alarm at that point; `detected` is UTC ms, `answer` whether somebody must answer it."""
    return AlarmEvent(
        kind=change.kind,
        key=AlarmKey(plan.rule, point),
        reason=change.reason,
        at=change.at,
        detected_at=detected,
        since=change.since,
        priority=plan.levels[change.level].priority,
        level=change.level,
        value=None if change.value != change.value else change.value,
        latching=plan.latching,
        retroactive=detected - change.at > RETROACTIVE,
        answer_required=answer,
    )
