"""Puts the verdict on one fault together."""

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


def judge(context: Context) -> None:
    """Judge what the fault's installation holds; the figures go to `context.verdict`."""
    place, verdict = context.place, context.verdict
    assert place is not None
    produced = produced_readings(place.produced)
    stored, gaps = stored_readings(place.series, [*place.plan.points, MARKER])
    account(produced, stored, gaps, verdict)
    judged = produced if context.in_order_of_arrival else by_time(produced)
    expected = expected_transitions(place.rules, place.plan.site_file(), judged)
    said = [one for one in logged_transitions(place.operational) if one.rule != "silent"]
    compare_alarms(expected, said, verdict)
    check_books(place.operational, verdict)
    verdict.kills += place.kills
