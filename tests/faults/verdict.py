"""Puts the verdict on one fault together."""

from tests.faults.context import Context
from tests.faults.judge import (
    Said,
    account,
    by_time,
    check_books,
    compare_alarms,
    expected_transitions,
    logged_transitions,
    produced_readings,
    stored_readings,
)
from tests.faults.plan import MARKER


def judge(context: Context) -> None:
    """Judge what the fault's installation holds; the figures go to `context.verdict`."""
    place, verdict = context.place, context.verdict
    assert place is not None
    produced = produced_readings(place.produced)
    stored, gaps = stored_readings(place.series, [*place.plan.points, MARKER])
    told = account(produced, stored, gaps, verdict)
    came = [fact for fact in produced if fact not in told]
    judged = came if context.in_order_of_arrival else by_time(came)
    expected = expected_transitions(place.rules, place.plan.site_file(), judged)
    said = [one for one in logged_transitions(place.operational) if one.rule != "silent"]
    if context.in_order_of_arrival:
        # Late readings are judged pack by pack, so what is said of them depends on how the packs cut them: the backtest
        # cannot know that.
        expected, said = [_undated(one) for one in expected], [_undated(one) for one in said]
    compare_alarms(expected, said, verdict)
    check_books(place.operational, verdict)
    verdict.kills += place.kills
    if context.wants_gaps:
        counted = sum(gap.count for gap in gaps)
        if not told:
            verdict.notes.append("nothing had to be dropped: the fault did not do what it is for")
        if counted < len(told):  # more is right: what was stored and never receipted is dropped as well
            verdict.notes.append(f"gap records count {counted} readings, {len(told)} are missing")


def _undated(said: Said) -> Said:
    return said._replace(at=0, priority="")
