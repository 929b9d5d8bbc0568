"""Figures and comparisons as flat records for programs: what the API, the command line and files all print alike.

Times are RFC 3339 texts in UTC with milliseconds, durations ms, shares 0 to 1. It decides nothing.
"""

from collections.abc import Mapping

from domain.alarms import AlarmKey
from domain.episodes import Episode
from domain.times import iso
from rules.compare import Comparison, Loss
from rules.quality import BadActor, Quality

Record = dict[str, object]


def comparison_record(effect: Comparison) -> Record:
    """What a change of rules does; every list is whole."""
    return {
        "start": iso(effect.start),
        "end": iso(effect.end),
        "readings": effect.readings,
        "sentence": effect.sentence,
        "nuisance_removed": effect.count(Loss.NUISANCE),
        "real_hidden": effect.count(Loss.REAL),
        "covered": effect.count(Loss.COVERED),
        "kept": effect.kept,
        "merged": effect.merged,
        "later": effect.later,
        "earlier": effect.earlier,
        "rules": [
            {
                "rule": one.rule, "alarms_before": one.before, "alarms_after": one.after,
                "minutes_before": one.minutes_before, "minutes_after": one.minutes_after,
            }
            for one in effect.rules
        ],
        "lost": [{**_episode(one), "kind": kind.value} for one, kind in effect.lost],
        "gained": [_episode(one) for one in effect.gained],
    }  # fmt: skip


def quality_record(one: Quality, suggestions: Mapping[AlarmKey, str], most: int) -> Record:
    """The figures with the `most` worst alarms; `suggestions`: what would help some of them, in words."""
    return {
        "start": iso(one.start),
        "end": iso(one.end),
        "annunciated": one.annunciated,
        "hidden": one.hidden,
        "past": one.past,
        "per_hour": one.per_hour,
        "busiest_period": one.busiest_period,
        "busy_periods": one.busy_periods,
        "floods": [{"start": iso(each.start), "end": iso(each.end), "count": each.count} for each in one.floods],
        "in_flood": one.in_flood,
        "worst_share": one.worst_share,
        "chattering": [{"rule": key.rule, "point": key.point} for key in one.chattering],
        "fleeting": one.fleeting,
        "stale": [_episode(each) for each in one.stale],
        "priorities": {priority.value: share for priority, share in one.priorities.items()},
        "answered": one.answered,
        "median_answer_ms": one.median_answer,
        "lapsed": one.lapsed,
        "nuisance": {kind.value: count for kind, count in one.nuisance.items()},
        "bad_actors": [_actor(each, suggestions.get(each.key)) for each in one.bad_actors[:most]],
    }


def _actor(one: BadActor, suggestion: str | None) -> Record:
    return {
        "rule": one.key.rule, "point": one.key.point, "count": one.count, "share": one.share, "active_ms": one.active,
        "chattering": one.chattering, "fleeting": one.fleeting, "lapsed": one.lapsed,
        "nuisance": one.nuisance, "suggestion": suggestion,
    }  # fmt: skip


def _episode(one: Episode) -> Record:
    return {
        "rule": one.key.rule,
        "point": one.key.point,
        "priority": one.priority.value,
        "raised_at": iso(one.raised_at),
        "cleared_at": None if one.cleared_at is None else iso(one.cleared_at),
    }
