"""What PostgreSQL must be asked for and SQLite gives by itself (there, one transaction writes at a time).

Two kinds of lock, each held to the end of the transaction, always asked for in this order:

- a *site's*: all that hangs on one chain of a site (journal, audit, counts, lease) is written by one at a time;
- the *log's*: transitions get their ids one transaction after another, so ids become visible in ascending order. A
  reader that asks for `id > after` would otherwise skip, for ever, the lower id of a transaction that ends later.
"""

import hashlib

from sqlalchemy import Connection, text

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")


def site(connection: Connection, name: str) -> None:
    """Wait until no other transaction writes for the site."""
    _take(connection, f"site {name}")


def log(connection: Connection) -> None:
    """Wait until no other transaction has transitions that are not visible yet."""
    _take(connection, "transitions")


def schema(connection: Connection) -> None:
    """Wait until no other process migrates."""
    _take(connection, "schema")


def _take(connection: Connection, name: str) -> None:
    if connection.dialect.name == "postgresql":
        digest = hashlib.blake2b(f"caretaker {name}".encode(), digest_size=8).digest()
        connection.execute(_LOCK, {"key": int.from_bytes(digest, "big", signed=True)})
