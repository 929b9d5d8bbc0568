"""Puts the verdict on one fault together."""

from tests.faults.arrival import expected_of_journal
from tests.faults.context import Context
from tests.faults.judge import (
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

NOT_BY_VALUE = ("silent", "broker-unreachable")  # judged by arrival


def judge(context: Context) -> None:
    """Judge what the fault's installation holds; the figures go to `context.verdict`."""
    place, verdict = context.place, context.verdict
    assert place is not None
    produced = produced_readings(place.produced)
    stored, gaps = stored_readings(place.series, [*place.plan.points, MARKER])
    told = account(produced, stored, gaps, verdict)
    came = [fact for fact in produced if fact not in told]
    if context.late:
        expected = expected_of_journal(place.operational, place.rules, place.plan.site_file())
    else:
        expected = expected_transitions(place.rules, place.plan.site_file(), by_time(came))
    said = [one for one in logged_transitions(place.operational) if one.rule not in NOT_BY_VALUE]
    compare_alarms(expected, said, verdict)
    check_books(place.operational, verdict)
    verdict.kills += place.kills
    if context.wants_gaps:
        counted = sum(gap.count for gap in gaps)
        if not told:
            verdict.notes.append("nothing had to be dropped: the fault did not do what it is for")
        if counted < len(told):  # more is right: what was stored and never receipted is dropped as well
            verdict.notes.append(f"gap records count {counted} readings, {len(told)} are missing")
