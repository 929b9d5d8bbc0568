"""Connections to the operational store: which database, how durable, and how a transaction begins.

A writing transaction on SQLite begins IMMEDIATE, so that it waits for its turn at the beginning (up to `BUSY_MS`)
and never fails half-way because another process wrote in between. On PostgreSQL it takes the locks of
`store.operational.locks`, waits for them just as long, and is cut off by the server when its process stands still in
the middle: a worker that was paused must not hold up the one that takes over.

What is nobody's mistake (no connection, connection lost, waited too long, disk full) becomes `StoreUnavailableError`.
A URL may hold a password: it is never repeated in an error.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from domain.errors import CaretakerError, StoreUnavailableError
from store.sqlite_files import BUSY_MS, prepare

_BEGIN = "caretaker_begin"
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a receipt promises that the batch is on the disk
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_MS}",
    "PRAGMA cache_size = -16000",
    "PRAGMA journal_size_limit = 67108864",
)
_POOL = {"pool_size": 8, "max_overflow": 32}
_STANDSTILL_MS = 10_000  # of a transaction whose process sends nothing; then the server ends it
_SESSION = {
    "application_name": "caretaker",
    "lock_timeout": BUSY_MS,
    "idle_in_transaction_session_timeout": _STANDSTILL_MS,
    "synchronous_commit": "on",  # a receipt promises that the batch is on the disk, whatever the server's default
    "timezone": "UTC",
}
# A server that vanished without a word must show within half a minute, not after the operating system's two hours.
_NETWORK: dict[str, object] = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class Database:
    """An engine and its two kinds of transaction; both raise StoreUnavailableError when the database went away."""

    def __init__(self, url: str) -> None:
        parsed = _parse(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.name = parsed.set(password=None).render_as_string() if parsed.host else str(parsed.database)
        self.engine = _sqlite(parsed) if self.is_sqlite else _postgresql(parsed)
        self._writer, self._reader = self.engine, self.engine
        if self.is_sqlite:
            self._writer = self.engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        else:
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, or rolled back whole when it raises."""
        with self._explained(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database throughout."""
        with self._explained(), self._reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeoutError) as error:
            if not _is_passing(error):
                raise
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise StoreUnavailableError(
                f"the operational store {self.name} is not available: {cause}".strip(),
                "check that it runs, can be reached, and has room; what was begun is tried again",
            ) from error


def _is_passing(error: DBAPIError | PoolTimeoutError) -> bool:
    """Whether trying again can help: the drivers keep these classes for what the program did not cause.

    (SQLite also says OperationalError for SQL that it does not understand: that is a defect.)
    """
    if isinstance(error, PoolTimeoutError) or error.connection_invalidated:
        return True
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return False
    return isinstance(error, OperationalError | InterfaceError | InternalError)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise CaretakerError(
            "this is not a database URL",
            "write for example sqlite:////var/lib/caretaker/operational.sqlite or postgresql://user:password@host/name",
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise CaretakerError(
            f"{parsed.get_backend_name()} is not a database Caretaker knows", "use sqlite or postgresql"
        )
    return parsed


def _postgresql(url: URL) -> Engine:
    session = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    given = url.query.get("options")
    # What the URL says comes last, so that it wins.
    arguments = {**_NETWORK, "options": f"{session} {given}" if given else session}
    arguments = {name: value for name, value in arguments.items() if name == "options" or name not in url.query}
    url = url.set(drivername="postgresql+psycopg").difference_update_query(["options"])
    return create_engine(url, connect_args=arguments, pool_pre_ping=True, **_POOL)


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise CaretakerError("the operational store needs a file", "write for example sqlite:///operational.sqlite")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_MS / 1000}, **_POOL)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins no transaction by itself: `_begin` does
        prepare(connection, _PRAGMAS)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(str(connection.get_execution_options().get(_BEGIN, "BEGIN")))

    return engine
