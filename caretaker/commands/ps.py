"""`caretaker ps`: which processes run, since when, how often they were restarted, and what they say of themselves."""

import typer

from caretaker.commands.up import Config


def ps(config: Config = None) -> None:
    """Show the processes of this installation; exit code 1 when one of them is not running."""
    from caretaker.process import now_ms
    from caretaker.settings import load_settings
    from caretaker.supervisor import alive, read_state, running_supervisor
    from caretaker.wiring import open_operational

    settings = load_settings(config)
    supervisor = running_supervisor(settings.run_dir)
    if supervisor is None:
        typer.echo(f"Caretaker does not run on {settings.data_dir}: start it with caretaker up")
        raise typer.Exit(1)
    children = read_state(settings.run_dir).get("children", [])
    store = open_operational(settings)
    beats = {row.name: row for row in store.processes()}
    store.close()
    typer.echo(f"{'process':<12}{'pid':>8}  {'state':<9}{'restarts':>8}  {'last sign':>10}  figures")
    missing = 0
    for child in children:
        runs = child["pid"] is not None and alive(child["pid"])
        missing += not runs
        beat = beats.get(child["name"])
        seen = f"{(now_ms() - beat.beat_at) / 1000:.0f} s ago" if beat else "-"
        figures = _figures(beat.info) if beat else ""
        word = "running" if runs else "stopped"
        typer.echo(
            f"{child['name']:<12}{child['pid'] or '-':>8}  {word:<9}{child['restarts']:>8}  {seen:>10}  {figures}"
        )
    raise typer.Exit(1 if missing else 0)


def _figures(info: str) -> str:
    import json

    try:
        values = json.loads(info)
    except ValueError:
        return info
    if not isinstance(values, dict):
        return info
    return ", ".join(f"{key} {value}" for key, value in values.items() if isinstance(value, int | float | str | bool))
