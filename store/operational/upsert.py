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
    if rows:
        connection.execute(_statement(connection, table, columns, where), [dict(row) for row in rows])


def upsert_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[tuple[Any, ...]],
    columns: Sequence[str],
    where: ColumnElement[bool],
) -> None:
    """As `upsert`, for thousands of rows: all columns of the table in its order, handed to the driver as they are.

    What a column's type would do to a value (plain text) must be done already; `where` has no values of its own.
    """
    if not rows:
        return
    names = [column.name for column in table.columns]
    statement = _statement(connection, table, columns, where).compile(dialect=connection.dialect, column_keys=names)
    if statement.positional:
        connection.exec_driver_sql(statement.string, list(rows))
    else:
        connection.exec_driver_sql(statement.string, [dict(zip(names, row, strict=True)) for row in rows])


def _statement(connection: Connection, table: Table, columns: Sequence[str], where: ColumnElement[bool] | None) -> Any:
    statement: Any = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)
    keys = list(table.primary_key.columns)
    if not columns:
        return statement.on_conflict_do_nothing(index_elements=keys)
    values = {name: statement.excluded[name] for name in columns}
    return statement.on_conflict_do_update(index_elements=keys, set_=values, where=where)


def new_column(name: str) -> ColumnElement[Any]:
    """The row that could not be inserted, as both databases call it."""
    return literal_column(f"excluded.{name}")
