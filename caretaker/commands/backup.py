"""`caretaker backup` and `caretaker restore`: the whole of an installation's data in one file, and back."""

from pathlib import Path
from typing import Annotated

import typer

from caretaker.commands.up import Config


def backup(
    target: Annotated[Path, typer.Argument(help="The archive to write (.tar or .tar.gz), or a folder for it.")],
    config: Config = None,
) -> None:
    """Copy both stores into one archive; nothing needs to be stopped."""
    from caretaker.process import now_ms
    from caretaker.settings import load_settings
    from store.backup import backup as make

    done = make(load_settings(config).data_dir, target, now_ms())
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
    running = running_supervisor(settings.run_dir)
    if running is not None:
        raise CaretakerError(
            f"Caretaker runs on {settings.data_dir} (process {running})", "stop it first, then restore"
        )
    manifest = put_back(archive, settings.data_dir, now_ms(), by=by, force=force)
    typer.echo(f"Restored {settings.data_dir} as of {manifest.made_at}")
