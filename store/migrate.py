"""Bring an operational store to the schema of this program, whatever version wrote it.

The migrations travel with the package; they run in one transaction, so that a stop half-way changes nothing and a
second process that starts at the same moment waits and finds the work done.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect, text

from domain.errors import CaretakerError
from store.engine import Database
from store.operational import locks

HEAD = "0006"
SCRIPTS = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Upgrade to `HEAD`. CaretakerError when a newer Caretaker wrote the store."""
    with database.read() as connection:
        if version(connection) == HEAD:
            return
    with database.write() as connection:
        locks.schema(connection)
        if version(connection) != HEAD:
            _upgrade(connection)


def version(connection: Connection) -> str | None:
    """The schema's version; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    found = version(connection)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise CaretakerError(
            f"the operational store has schema version {found}, which this Caretaker ({HEAD}) does not know: {error}",
            "run the newer Caretaker that wrote it, or restore a backup of the older one",
        ) from error
