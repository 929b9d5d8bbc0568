"""Helpers of the tests: free ports, waiting for other processes, real programs that Debian packages."""

import os
import shutil
import socket
import time
from collections.abc import Callable

import pytest


def needs(program: str, package: str) -> str:
    """The program's path; skips and says what to install when it is absent (fails where CI promised it)."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin")
    if path is None:
        message = f"{program} is not installed: apt-get install {package}"
        if os.environ.get("CARETAKER_TEST_REQUIRE_SERVERS"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def free_port() -> int:
    """A port that nobody listens on at the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], seconds: float = 30.0, what: str = "") -> None:
    """Wait for something that another process does; fails with `what` when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"did not happen within {seconds:.0f} s: {what or condition}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True
