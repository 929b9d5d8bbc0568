"""`caretaker dead-letters`: what was not accepted, and why."""

from typing import Annotated

import typer

from caretaker.commands.up import Config


def dead_letters(
    site: Annotated[str, typer.Option(help="Only this site's; empty: all.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    config: Config = None,
) -> None:
    """List refused messages: when, why, on which topic, and how they begin."""
    from caretaker.output import printable
    from caretaker.settings import load_settings
    from caretaker.wiring import open_console
    from domain.times import iso

    store = open_console(load_settings(config))
    try:
        letters = store.dead_letters(site or None, limit)
    finally:
        store.close()
    for letter in letters:
        typer.echo(f"{iso(letter.received)}  {letter.reason:<16} {printable(letter.topic)}")
        typer.echo(f"    {printable(letter.detail)}")
        typer.echo(f"    {letter.payload[:100]!r}{' …' if len(letter.payload) > 100 else ''}")
    if not letters:
        typer.echo("Nothing was refused.")
