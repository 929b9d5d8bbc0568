"""Thermometers on a 1-Wire bus that does not exist: files as the Linux driver shows them, written by a thread."""

import random
import threading
from collections.abc import Sequence
from pathlib import Path

EVERY = 0.07  # seconds
VALUES = (4.0, 6.5, 7.5, 8.5, 9.5, 10.5)
CALM = 4.0


class Sensors:
    """One file per point under `root`; values wander around the limits until `calm`.

    A share of `changing` is written anew each time.
    """

    def __init__(self, root: Path, points: Sequence[str], seed: int, changing: float = 1.0) -> None:
        self._random, self._changing = random.Random(seed), 1.0
        self._files = {point: root / f"28-{number:012x}" / "temperature" for number, point in enumerate(points)}
        self._runs = dict.fromkeys(points, (CALM, 0))
        self._calm, self._ended = threading.Event(), threading.Event()
        for file in self._files.values():
            file.parent.mkdir(parents=True)
        self.root = root
        self._write()
        self._changing = changing
        self._thread = threading.Thread(target=self._live, name="sensors", daemon=True)
        self._thread.start()

    def source(self) -> str:
        """The source's table in the agent's file."""
        lines = "".join(f'"{file.parent.name}" = "{point}"\n' for point, file in self._files.items())
        return f'[[source]]\nkind = "onewire"\nroot = "{self.root}"\n[source.sensors]\n{lines}'

    def calm(self) -> None:
        """From now on every value is in order."""
        self._calm.set()
        self._changing = 1.0

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5)

    def _live(self) -> None:
        while not self._ended.wait(EVERY):
            self._write()

    def _write(self) -> None:
        for point, file in self._files.items():
            value, left = self._runs[point]
            if left == 0:
                value, left = self._random.choice(VALUES), self._random.randint(1, 80)
            self._runs[point] = value, left - 1
            if self._random.random() > self._changing:
                continue
            shown = CALM if self._calm.is_set() else value
            new = file.with_name("new")
            new.write_text(f"{shown * 1000 + self._random.randint(0, 99):.0f}\n")
            new.replace(file)
