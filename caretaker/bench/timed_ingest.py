"""`caretaker ingest` that says what its rule engine costs: the same process, with a stop watch around the judge.

    python -m caretaker.bench.timed_ingest CONFIG FIGURES

Writes FIGURES (JSON) at most twice a second: processor seconds of the judge's calls so far (`judged`), of the whole
process (`process`), both of the same moment. Decides nothing about what is judged.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from caretaker import wiring
from caretaker.commands.ingest import ingest
from domain.ports import Judge, Ledger, SeriesStore

Make = Callable[[str], Judge]

EVERY_SECONDS = 0.5
TIMED = ("feed", "advance", "clock", "review")


class TimedJudge:
    """A judge and what its calls cost."""

    def __init__(self, judge: Any, figures: Path) -> None:
        self._judge, self._figures = judge, figures
        self._judged, self._written = 0.0, 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._judge, name)
        return self._timed(found) if name in TIMED else found

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*words: Any, **named: Any) -> Any:
            begin = time.thread_time()
            try:
                return call(*words, **named)
            finally:
                self._judged += time.thread_time() - begin
                self._note()

        return timed

    def _note(self) -> None:
        now = time.monotonic()
        if now - self._written >= EVERY_SECONDS:
            self._written = now
            fresh = self._figures.with_suffix(".new")
            fresh.write_text(json.dumps({"judged": self._judged, "process": time.process_time()}))
            fresh.replace(self._figures)


def main(config: Path, figures: Path) -> None:
    """Run ingest with timed judges."""
    plain = wiring.judge_factory

    def timed(series: SeriesStore, ledger: Ledger, monotonic: Callable[[], float] = time.monotonic) -> Make:
        make = plain(series, ledger, monotonic)
        return lambda site: cast(Judge, TimedJudge(make(site), figures))

    wiring.judge_factory = timed
    ingest(config)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
