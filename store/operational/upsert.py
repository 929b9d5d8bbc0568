"""Insert or update in one statement: the one place where the two databases' dialects differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, literal_column
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    where: ColumnElement[bool] | None = None,
) -> None:
    """Insert the rows; where the primary key is there already, take over `columns` instead, but only if `where` holds.

    Without columns the present row stays as it is. `where` compares the table's columns with `new_column(name)`.
    """
    if not rows:
        return
    statement: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    keys = list(table.primary_key.columns)
    if columns:
        values = {name: statement.excluded[name] for name in columns}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=values, where=where)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    connection.execute(statement, [dict(row) for row in rows])


def new_column(name: str) -> ColumnElement[Any]:
    """The row that could not be inserted, as both databases call it."""
    return literal_column(f"excluded.{name}")
