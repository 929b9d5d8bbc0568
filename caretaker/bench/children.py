"""Processes of a benchmark: each pinned to one core, ended by its own id in every case, its costs read from /proc.

Decides nothing about what is measured. A child also ends when the benchmark is killed (Linux tells it).
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from caretaker.process import end_with_parent
from domain.errors import CaretakerError

GRACE_SECONDS = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Child:
    """One process on one core. Its standard error (and output, unless `lines` takes it) goes to `log`."""

    def __init__(
        self, command: Sequence[str], core: int, log: Path, lines: Callable[[bytes], None] | None = None
    ) -> None:
        self.name, self._log = Path(command[0]).name, log

        def prepare() -> None:
            os.sched_setaffinity(0, {core})
            end_with_parent()

        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - programs found by their names, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if lines else errors,
                stderr=errors,
                preexec_fn=prepare,  # children are started from the main thread only
            )
        self._reader: threading.Thread | None = None
        if lines:
            self._reader = threading.Thread(target=self._read, args=(lines,), name=f"{self.name} output", daemon=True)
            self._reader.start()

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """CaretakerError with the end of its log when it ended in failure."""
        code = self._process.poll()
        if code:
            said = self._log.read_text(errors="replace").strip().splitlines()[-3:] if self._log.exists() else []
            raise CaretakerError(f"{self.name} ended with {code}: {' / '.join(said)}", f"see {self._log}")

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait(self, seconds: float) -> None:
        """Wait for its end in good order. CaretakerError when that does not come in time, or it failed."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise CaretakerError(
                f"{self.name} did not end within {seconds:.0f} s", "is the machine busy? try again"
            ) from None
        self.check()
        if self._reader is not None:
            self._reader.join(GRACE_SECONDS)

    def stop(self) -> None:
        """SIGTERM, after a while SIGKILL; harmless when it has ended."""
        if self.running():
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_SECONDS)
        if self.running():
            self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._reader.join(GRACE_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_mb(self) -> float:
        """Resident memory now, in MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def _read(self, lines: Callable[[bytes], None]) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while chunk := os.read(descriptor, 65_536):
            lines(chunk)


def module(name: str, *words: str) -> list[str]:
    """The command that runs a module of this program with this Python."""
    return [sys.executable, "-m", name, *words]
