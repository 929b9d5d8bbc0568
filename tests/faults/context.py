"""What a fault gets, and what it hands back."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.installation import Installation
from tests.faults.judge import Verdict


@dataclass
class Context:
    """What a fault gets, and what it hands back: `place` is judged, `verdict` is written."""

    folder: Path
    seed: int
    rounds: int
    quick: bool
    tell: Callable[[str], None]
    verdict: Verdict = field(default_factory=Verdict)
    place: Installation | None = None
    late: bool = False  # readings come late: what is expected follows from the journal, which must not be trimmed
    wants_gaps: bool = False

    def install(self, **how: object) -> Installation:
        self.place = Installation(self.folder / "site", self.seed, **how)  # type: ignore[arg-type] # handed on as given
        return self.place


def pause(place: Installation, least: float, most: float) -> None:
    time.sleep(place.random.uniform(least, most))
