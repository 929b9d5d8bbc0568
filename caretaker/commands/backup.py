"""`caretaker backup` and `caretaker restore`: the whole of an installation's data in one file, and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caretaker.commands.up import Config

if TYPE_CHECKING:
    from caretaker.settings import Settings


def backup(
    target: Annotated[Path, typer.Argument(help="The archive to write (.tar or .tar.gz), or a folder for it.")],
    config: Config = None,
) -> None:
    """Copy both stores into one archive; nothing needs to be stopped."""
    from caretaker.process import now_ms
    from caretaker.settings import load_settings
    from store.backup import backup as make

    settings = load_settings(config)
    _refuse_servers(settings, "back up")
    done = make(settings.data_dir, target, now_ms())
    for file in done.manifest.files:
        typer.echo(f"{file.name}  {file.bytes:,} bytes  sha256 {file.sha256}")
    typer.echo(f"Backup written: {done.path}")


def restore(
    archive: Annotated[Path, typer.Argument(help="An archive that caretaker backup wrote.")],
    config: Config = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the data that is there now.")] = False,
    by: Annotated[str, typer.Option(help="Who does this, for the audit.")] = "command line",
) -> None:
    """Put an archive's data in the data folder; Caretaker must not be running."""
    from caretaker.process import now_ms
    from caretaker.settings import load_settings
    from caretaker.supervisor import running_supervisor
    from domain.errors import CaretakerError
    from store.backup import restore as put_back

    settings = load_settings(config)
    _refuse_servers(settings, "restore")
    running = running_supervisor(settings.run_dir)
    if running is not None:
        raise CaretakerError(
            f"Caretaker runs on {settings.data_dir} (process {running})", "stop it first, then restore"
        )
    manifest = put_back(archive, settings.data_dir, now_ms(), by=by, force=force)
    typer.echo(f"Restored {settings.data_dir} as of {manifest.made_at}")


def _refuse_servers(settings: "Settings", verb: str) -> None:
    """An archive is made of the two files; a server's data has its own tools, and half a backup would be a trap."""
    from caretaker.settings import SQLITE
    from domain.errors import CaretakerError

    stores = settings.stores
    kept = [
        name
        for name, place in (
            ("PostgreSQL (stores.operational)", stores.operational),
            ("InfluxDB (stores.series)", stores.series),
        )
        if place != SQLITE
    ]
    if kept:
        raise CaretakerError(
            f"this command cannot {verb} what is in {' and '.join(kept)}",
            "use the servers' own tools, first pg_dump of the operational store, then the readings: docs/stores.md",
        )
