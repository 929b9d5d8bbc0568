"""Counts and says what became of a message: the same words in figures and log as in the outcome."""

from collections.abc import Iterable

import structlog

from ingest.accept import Outcome, Verdict
from ingest.clocks import ClockNote, ClockVerdict
from ingest.metrics import Count, Counters

_VERDICTS = {
    Verdict.DUPLICATE: Count.DUPLICATES,
    Verdict.OUT_OF_ORDER: Count.OUT_OF_ORDER,
    Verdict.OLD_BOOT: Count.OLD_BOOT,
    Verdict.RETAINED: Count.RETAINED,
    Verdict.EMPTY: Count.EMPTY,
    Verdict.MISDELIVERED: Count.MISDELIVERED,
    Verdict.TURNED_AWAY: Count.TURNED_AWAY,
}

_log = structlog.get_logger()


def count_outcome(site: str, outcome: Outcome, counters: Counters) -> None:
    """Count the outcome, and log an agent's clock when the verdict on it is new."""
    counted = _VERDICTS.get(outcome.verdict)
    if counted is not None:
        counters.add(counted)
    if outcome.skipped:
        counters.add(Count.SKIPPED)
    counters.add(Count.BIRTHS, len(outcome.births))
    counters.add(Count.STATUSES, len(outcome.statuses))
    if outcome.clock is not None:
        tell_clocks(site, (outcome.clock,))


def tell_clocks(site: str, notes: Iterable[ClockNote]) -> None:
    """Log what is newly thought of agents' clocks."""
    for note in notes:
        said = _log.info if note.verdict is ClockVerdict.RIGHT else _log.warning
        said("an agent's clock", site=site, agent=note.agent, verdict=note.verdict.value, skew_ms=note.skew)
