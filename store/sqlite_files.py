"""What both SQLite files share: how a connection is made ready.

Entering WAL mode fails at once, without waiting for SQLite's busy time, when another process opens or closes the same
file at that very moment (one start in some hundreds, measured with ten at once): so it is tried again here.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence

BUSY_MS = 10_000
_PAUSE = 0.02  # seconds between two attempts


def prepare(
    connection: sqlite3.Connection,
    pragmas: Sequence[str],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Run the pragmas; while the file is locked, again for up to `BUSY_MS`. sqlite3.OperationalError after that."""
    deadline = clock() + BUSY_MS / 1000
    while True:
        try:
            for pragma in pragmas:
                connection.execute(pragma)
        except sqlite3.OperationalError as error:
            if clock() >= deadline or error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            pause(_PAUSE)
        else:
            return
