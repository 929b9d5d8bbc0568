"""The result of a run: a table for people, one object for programs, and the page that the run itself writes."""

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.judge import Verdict
from tests.faults.kinds import Fault

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- written by make chaos: begin -->", "<!-- written by make chaos: end -->"
FIGURES = ("kills", "produced", "stored", "lost", "doubled", "in_gap_records", "alarms_differ")


@dataclass(frozen=True)
class Result:
    fault: Fault
    rounds: int
    verdict: Verdict
    seconds: float
    skipped: str = ""

    @property
    def good(self) -> bool:
        return bool(self.skipped) or self.verdict.good


def as_object(results: Sequence[Result]) -> dict[str, object]:
    """Totals, and the same of each fault under `faults`."""
    totals: dict[str, object] = {"rounds": sum(result.rounds for result in results)}
    totals |= {name: sum(getattr(result.verdict, name) for result in results) for name in FIGURES}
    totals["faults"] = {result.fault.name: _one(result) for result in results}
    return totals


def as_table(results: Sequence[Result]) -> str:
    """A Markdown table, with the totals as its last row."""
    lines = [
        "| fault | rounds | kills | produced | stored | in gap records | lost | doubled | transitions | differ |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for result in results:
        one = result.verdict
        if result.skipped:
            lines.append(f"| {result.fault.what} | skipped: {result.skipped} | | | | | | | | |")
        else:
            lines.append(_row(result.fault.what, result.rounds, [one]))
    counted = [result.verdict for result in results]
    lines.append(_row("**all**", sum(result.rounds for result in results), counted))
    return "\n".join(lines)


def write_page(results: Sequence[Result], seed: int, seconds: float) -> None:
    """Replace what stands between the marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    day = time.strftime("%Y-%m-%d", time.gmtime())
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    said = f"Run of {day}, seed {seed}, {seconds / 60:.0f} min, {machine}."
    PAGE.write_text(f"{head}{BEGIN}\n{said}\n\n{as_table(results)}\n{END}{tail}", encoding="utf-8")


def _one(result: Result) -> dict[str, object]:
    found: dict[str, object] = {"rounds": result.rounds}
    found |= {name: getattr(result.verdict, name) for name in FIGURES}
    found |= {"seconds": round(result.seconds, 1), "good": result.good, "notes": result.verdict.notes}
    return found | ({"skipped": result.skipped} if result.skipped else {})


def _row(what: str, rounds: int, counted: Sequence[Verdict]) -> str:
    names = ("kills", "produced", "stored", "in_gap_records", "lost", "doubled", "alarms", "alarms_differ")
    cells = [str(rounds), *(f"{sum(getattr(one, name) for one in counted)}" for name in names)]
    return f"| {what} | {' | '.join(cells)} |"
