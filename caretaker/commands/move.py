"""`caretaker move`: the data of the embedded stores, into the servers that the settings name by now."""

from typing import TYPE_CHECKING, Annotated

import typer

from caretaker.commands.up import Config

if TYPE_CHECKING:
    from caretaker.settings import Settings


def move(
    config: Config = None,
    readings: Annotated[bool, typer.Option("--readings", help="Only the readings; may be repeated.")] = False,
    by: Annotated[str, typer.Option(help="Who does this, for the audit.")] = "command line",
) -> None:
    """Copy the data in data_dir into the PostgreSQL and the InfluxDB of the settings; Caretaker must not be running."""
    from caretaker.settings import SQLITE, load_settings
    from caretaker.supervisor import running_supervisor
    from domain.errors import CaretakerError

    settings = load_settings(config)
    running = running_supervisor(settings.run_dir)
    if running is not None and not readings:
        raise CaretakerError(f"Caretaker runs on {settings.data_dir} (process {running})", "stop it first, then move")
    everything = settings.stores.operational != SQLITE and not readings
    if not everything and settings.stores.series == SQLITE:
        raise CaretakerError(
            "the settings name no server to move to", "set stores.operational or stores.series first: docs/moving.md"
        )
    if everything:
        _operational(settings)
    if settings.stores.series != SQLITE:
        _readings(settings, by)


def _operational(settings: "Settings") -> None:
    from domain.errors import CaretakerError
    from store.moving import move_operational

    if not settings.operational_path.exists():
        raise CaretakerError(f"there is no {settings.operational_path}", "check data_dir")
    counts = move_operational(settings.operational_path, settings.stores.operational)
    for name in ("site_revisions", "rules_revisions", "journal", "alarms", "transitions", "audit"):
        typer.echo(f"{name}: {counts[name]:,} rows")


def _readings(settings: "Settings", by: str) -> None:
    from caretaker.process import now_ms
    from caretaker.wiring import open_operational, open_series
    from domain.errors import CaretakerError
    from store.moving import move_readings
    from store.series_sqlite import SqliteSeriesStore

    if not settings.series_path.exists():
        raise CaretakerError(f"there is no {settings.series_path}", "check data_dir")
    store, source, target = open_operational(settings), SqliteSeriesStore(settings.series_path), open_series(settings)
    refused = 0
    try:
        for moved in move_readings(source, target, store.sites(), now_ms()):
            said = f"{moved.stored:,} readings of {moved.points} points copied, {moved.present:,} there already"
            typer.echo(f"{moved.site}: {said}")
            done: dict[str, object] = {
                "stored": moved.stored, "present": moved.present, "refused": moved.refused
            }  # fmt: skip
            store.note(moved.site, now_ms(), by, "readings_moved", done)
            refused += moved.refused
    finally:
        target.close()
        source.close()
        store.close()
    if refused:
        raise CaretakerError(
            f"{refused:,} readings were refused by {settings.stores.series.partition('@')[2] or 'the server'}",
            f"they stay in {settings.series_path}",
        )
