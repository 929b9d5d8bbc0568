"""A small disk of its own (tmpfs) that can be filled and freed; mounting needs to be permitted."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 1 << 20


class NotPermittedError(Exception):
    """This user may not mount."""


class Disk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take every byte that is free."""
        with self._filler.open("wb", buffering=0) as file:
            for size in (8 * MIB, 64 * 1024, 4096):
                with suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def free(self) -> None:
        """Give back what `fill` took."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Disk]:
    """A disk of so many MiB at `folder`. NotPermittedError when it cannot be mounted."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NotPermittedError(done.stderr.strip() or "mount failed")
    try:
        yield Disk(folder)
    finally:
        for _ in range(20):
            if subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.2)
        else:
            subprocess.run(["umount", "-l", str(folder)], check=True)
