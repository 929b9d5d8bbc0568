"""Late readings of rules with several inputs: judged again in the same journalled step as those of single points.

A rule is in doubt when readings of any of its inputs came for a time that it had judged already: late ones, and the
backlog of an agent that was not waited for. The stretch is judged again with the readings of all inputs; as long as
memory lacks one of them and the history does not answer, the rule stays in doubt and says nothing of the past.
"""

from collections.abc import Iterator

from domain.records import Review
from rules.condition import Change
from rules.doubts import ASK_AGAIN, Doubts
from rules.joint import Joint, Joints
from rules.plan import NEVER
from rules.points import Track
from rules.revisit import OLDEST_JUDGED, Counters, Past, reconsider, start_of

MOST_READINGS = 50_000  # per review, all rules together: about half a second's work; the others wait for the next one

Reviewed = tuple[tuple[str, str], list[tuple[Track, Change]]]  # (rule, point), what it says


def review_joints(
    joints: Joints, doubts: Doubts, past: Past, now: int, counters: Counters, again: Review | None = None
) -> list[Reviewed]:
    """Judge what is in doubt, or (in a replay) exactly what was judged `again`; what each of the rules says."""
    found: list[Reviewed] = []
    done = 0
    for joint in _in_doubt(joints, again):
        if again is None and done >= MOST_READINGS:
            break
        track = joint.track
        limit = joint.frontier - OLDEST_JUDGED
        start = start_of(track, max(joint.doubt, limit))
        ask = again is not None or now >= doubts.ask_at
        past.failed = False
        known = joints.stretch(joint, past, start, ask)
        if past.failed:
            doubts.ask_at = now + ASK_AGAIN
        if known is None and again is None and (past.failed or not ask):
            continue  # it stays in doubt
        counters.unjudged += (known is None) + (joint.doubt < limit)
        joints.doubt(joint, NEVER)
        said: list[Change] = []
        if known is not None:
            rows, until = known
            done += len(rows.time)
            said = reconsider(track, rows, start, joint.frontier, joints.merge, until)
        found.append((_key(joints, joint), [(track, change) for change in said]))
    return found


def _in_doubt(joints: Joints, again: Review | None) -> Iterator[Joint]:
    """The rules to judge, in the order of points and rules."""
    listed = sorted(joints.doubtful, key=lambda joint: (joint.track.point, joint.track.place))
    if again is None:
        return iter(listed)
    wanted = set(again.several)
    return (joint for joint in listed if _key(joints, joint) in wanted)


def _key(joints: Joints, joint: Joint) -> tuple[str, str]:
    return joint.track.condition.plan.rule, joints.table.names[joint.track.point]
