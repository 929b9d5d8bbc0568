"""Somebody ends a long measurement: its workers end with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "caretaker", "alarmbench", "--assets", "200", "--days", "20", "--processes", "2"]


def workers_of(pid: int) -> list[int]:
    """The processes that compute for it; one more tracks what they share."""
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(one) for one in children if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
    return []


def runs(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def waited_for(look: Callable[[], list[int]], count: int) -> list[int]:
    """What it finds once that are so many, or after 40 s."""
    for _ in range(400):
        found = look()
        if len(found) == count:
            break
        time.sleep(0.1)
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a process that its parent ended")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_command(how: signal.Signals) -> None:
    process = subprocess.Popen(COMMAND, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    workers: list[int] = []
    try:
        workers = waited_for(lambda: workers_of(process.pid), 2)
        assert len(workers) == 2
        process.send_signal(how)
        process.wait(10)
        assert waited_for(lambda: [one for one in workers if runs(one)], 0) == []
    finally:
        for one in (process.pid, *workers):
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        process.wait(10)
