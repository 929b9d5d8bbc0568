"""The SQLite file under the outbox: opening, checking, transactions, and setting a damaged file aside.

It decides whether a file can be trusted (`OutboxCorruptError` when not) and how durable a write is. What the rows mean
is the outbox's business. WAL mode, locked for this one process.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from domain.errors import CaretakerError

FORMAT = 1
SET_ASIDE_KEPT = 3
LOCK_WAIT_S = 5.0

_SCHEMA = (
    """CREATE TABLE reading (
        id INTEGER PRIMARY KEY AUTOINCREMENT, point TEXT NOT NULL, time INTEGER NOT NULL, value REAL,
        quality INTEGER NOT NULL, text TEXT NOT NULL, upto INTEGER NOT NULL, kept INTEGER NOT NULL)""",
    """CREATE TABLE gap (
        id INTEGER PRIMARY KEY AUTOINCREMENT, start INTEGER NOT NULL, "end" INTEGER NOT NULL, count INTEGER NOT NULL,
        reason TEXT NOT NULL, points TEXT NOT NULL, first_row INTEGER NOT NULL, last_row INTEGER NOT NULL)""",
    f"PRAGMA user_version={FORMAT}",
)
# When sensors were read last, and whether the agent was then stopped in good order; files of older agents lack it.
_CYCLE = "CREATE TABLE IF NOT EXISTS cycle (id INTEGER PRIMARY KEY CHECK (id = 1), time INTEGER, stopped INTEGER)"


class OutboxCorruptError(Exception):
    """The file cannot be read any more: set it aside and start anew."""


class OutboxFile:
    """One open SQLite file with the outbox's tables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open or create it. OutboxCorruptError when damaged; CaretakerError when in use, unwritable or newer."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=LOCK_WAIT_S, isolation_level=None)
            self.fetch("PRAGMA locking_mode=EXCLUSIVE")
            self.fetch("PRAGMA journal_mode=WAL")
            self._check()
        except (sqlite3.OperationalError, OSError) as error:
            self.close()
            raise CaretakerError(
                f"{self.path}: the outbox cannot be opened: {error}",
                "give each agent its own data_dir, start it only once, and check the folder's rights and free space",
            ) from None

    def _check(self) -> None:
        if self.fetch("PRAGMA quick_check(1)")[0][0] != "ok":
            raise OutboxCorruptError("SQLite's quick check found damage")
        version = self.fetch("PRAGMA user_version")[0][0]
        if version > FORMAT:
            self.close()
            raise CaretakerError(
                f"{self.path} was written by a newer version (format {version}; this one reads {FORMAT})",
                "update this agent, or give it another data_dir",
            )
        if version == 0:
            with self.transaction(durable=True):
                for statement in _SCHEMA:
                    self.execute(statement)
        if not self.fetch("SELECT 1 FROM sqlite_master WHERE name = 'cycle'"):
            with self.transaction(durable=True):
                self.execute(_CYCLE)

    def set_aside(self, now: int) -> Path:
        """Close the file and rename it, so that `open` begins an empty one; its new path. Keeps the newest few."""
        self.close()
        aside = self.path.with_name(f"{self.path.name}.corrupt-{now}")
        for suffix in ("-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.rename(aside)
        for older in sorted(self.path.parent.glob(f"{self.path.name}.corrupt-*"))[:-SET_ASIDE_KEPT]:
            older.unlink()
        return aside

    def close(self) -> None:
        """Close it; what is in it stays."""
        if self._db is not None:
            self._db.close()
            self._db = None

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[None]:
        """All or nothing. `durable`: on the disk at the end; otherwise a power cut may undo it, never damage it."""
        self.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._db is not None and self._db.in_transaction:
                self._db.rollback()
            raise

    def fetch(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of a query."""
        with self._damage_seen():
            return self._connection.execute(sql, values).fetchall()

    def execute(self, sql: str, values: Sequence[object] = ()) -> None:
        """Run one statement."""
        with self._damage_seen():
            self._connection.execute(sql, values)

    def execute_many(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run one statement for each row."""
        with self._damage_seen():
            self._connection.executemany(sql, rows)

    @property
    def _connection(self) -> sqlite3.Connection:
        assert self._db is not None, "the outbox is not open"
        return self._db

    @contextmanager
    def _damage_seen(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError:
            raise  # a full or locked disk: the file is sound, the caller may try again
        except sqlite3.DatabaseError as error:
            raise OutboxCorruptError(str(error)) from error
