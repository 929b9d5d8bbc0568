"""What every part of a run shares: the plan, the cores, folders of its own, and a place to say how far it is."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from caretaker.bench.machine import Cores
from caretaker.bench.plan import Plan


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmark. `root`: where its data lies. `say` takes lines about the progress."""

    plan: Plan
    cores: Cores
    root: Path
    say: Callable[[str], None]

    def folder(self, name: str) -> Path:
        """An empty folder of that name."""
        path = self.root / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path
