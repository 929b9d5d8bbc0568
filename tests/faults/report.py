"""The result of a run: a table for people, one object for programs, and the page that the run itself writes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.judge import Verdict
from tests.faults.kinds import FAULTS, Fault

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- written by make chaos: begin -->", "<!-- written by make chaos: end -->"
COLUMNS = (
    "fault", "rounds", "kills", "produced", "stored", "in gap records", "lost", "doubled", "transitions", "differ",
    "run",
)  # fmt: skip
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
    return _table([_cells(result) for result in results])


def write_page(results: Sequence[Result], seed: int) -> None:
    """Put the rows of these faults into the page's table; those of other faults stay as their own run wrote them."""
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    before, _, tail = rest.partition(END)
    run = f"{time.strftime('%Y-%m-%d', time.gmtime())}, seed {seed}"
    rows = {cells[0]: cells for line in before.splitlines() if len(cells := _split(line)) == len(COLUMNS)}
    rows |= {result.fault.what: [*_cells(result)[:-1], run] for result in results}
    kept = [rows[fault.what] for fault in FAULTS if fault.what in rows]
    PAGE.write_text(f"{head}{BEGIN}\n{_table(kept)}\n{END}{tail}", encoding="utf-8")


def _one(result: Result) -> dict[str, object]:
    found: dict[str, object] = {"rounds": result.rounds}
    found |= {name: getattr(result.verdict, name) for name in FIGURES}
    found |= {"seconds": round(result.seconds, 1), "good": result.good, "notes": result.verdict.notes}
    return found | ({"skipped": result.skipped} if result.skipped else {})


def _cells(result: Result) -> list[str]:
    if result.skipped:
        return [result.fault.what, "skipped", *[""] * (len(COLUMNS) - 3), result.skipped]
    one = result.verdict
    figures = (one.kills, one.produced, one.stored, one.in_gap_records, one.lost, one.doubled, one.alarms,
               one.alarms_differ)  # fmt: skip
    return [result.fault.what, str(result.rounds), *map(str, figures), f"{result.seconds:.0f} s"]


def _table(rows: Sequence[Sequence[str]]) -> str:
    places = range(1, len(COLUMNS) - 1)
    sums = [sum(int(row[place]) for row in rows if row[place].isdecimal()) for place in places]
    every = [COLUMNS, ("---", *["--:"] * len(places), "---"), *rows, ("**all**", *map(str, sums), "")]
    return "\n".join(f"| {' | '.join(row)} |" for row in every)


def _split(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
