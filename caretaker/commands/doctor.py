"""`caretaker doctor`: what is wrong with this installation, in words."""

import typer

from caretaker.commands.up import Config

SIGNS = {"ok": "  ok   ", "warning": "  note ", "wrong": "WRONG  "}


def doctor(config: Config = None) -> None:
    """Check settings, broker, stores, sites, processes and agents; exit code 1 when something is wrong."""
    from caretaker.doctor import Verdict, examine
    from caretaker.process import now_ms
    from caretaker.settings import load_settings

    wrong = 0
    for finding in examine(load_settings(config), now_ms()):
        typer.echo(f"{SIGNS[finding.verdict]}{finding.what}")
        if finding.remedy:
            typer.echo(f"         remedy: {finding.remedy}")
        wrong += finding.verdict is Verdict.WRONG
    typer.echo("Nothing is wrong." if not wrong else f"{wrong} wrong.")
    raise typer.Exit(1 if wrong else 0)
