"""`caretaker dead-letters`: what was not accepted, why, and how it is put through acceptance again."""

from typing import TYPE_CHECKING, Annotated

import typer

from caretaker.commands.up import Config
from domain.errors import CaretakerError

if TYPE_CHECKING:
    from domain.records import DeadLetter

MOST = 10_000  # as many as one site keeps

app = typer.Typer(invoke_without_command=True, help="Refused messages: list them, or replay them.")


@app.callback()
def dead_letters(
    context: typer.Context,
    site: Annotated[str, typer.Option(help="Only this site's; empty: all.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many, newest first.")] = 20,
    config: Config = None,
) -> None:
    """List refused messages: number, when, why, on which topic, and how they begin."""
    if context.invoked_subcommand is not None:
        return
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
        again = f"  replayed {iso(letter.replayed)}" if letter.replayed else ""
        typer.echo(f"{letter.id}  {iso(letter.received)}  {letter.reason:<16} {printable(letter.topic)}{again}")
        typer.echo(f"    {printable(letter.detail)}")
        typer.echo(f"    {letter.payload[:100]!r}{' …' if len(letter.payload) > 100 else ''}")
    if not letters:
        typer.echo("Nothing was refused.")


@app.command("replay")
def replay(
    number: Annotated[list[int] | None, typer.Option("--id", help="This dead letter; repeatable.")] = None,
    site: Annotated[str, typer.Option(help="All of this site, also from before it was applied.")] = "",
    reason: Annotated[str, typer.Option(help="Only those refused for this reason, e.g. bad_unit.")] = "",
    by: Annotated[str, typer.Option(help="Who does this, for the audit.")] = "command line",
    config: Config = None,
) -> None:
    """Put refused readings through acceptance again, each once: after the site was applied or a unit corrected."""
    from caretaker.process import now_ms
    from caretaker.settings import load_settings
    from caretaker.wiring import open_console

    wanted = set(number or ())
    if not wanted and not site:
        raise CaretakerError("nothing is chosen", "name dead letters with --id N, or a site with --site S")
    store = open_console(load_settings(config))
    try:
        chosen = [
            letter
            for letter in store.dead_letters(None, MOST * 10)
            if (not wanted or letter.id in wanted)
            and (not site or _site(letter) == site)
            and (not reason or letter.reason == reason)
        ]
        able = [letter.id for letter in chosen if replayable(letter)]
        asked = store.ask_replay(able, by, now_ms())
    finally:
        store.close()
    typer.echo(f"{asked} dead letters will be put through acceptance again by ingest, within seconds while it runs.")
    if len(able) > asked:
        typer.echo(f"{len(able) - asked} were replayed before, or wait for it.")
    if len(chosen) > len(able):
        typer.echo(f"{len(chosen) - len(able)} cannot be replayed: they hold no readings, or not all of their bytes.")
    if wanted and len(chosen) < len(wanted):
        typer.echo(f"{len(wanted) - len(chosen)} are not there (any more).")


def replayable(letter: "DeadLetter") -> bool:
    """Whether the letter can be accepted one day: a whole message (or part) on a topic of readings."""
    from domain.reasons import DeadReason
    from wire.topics import Kind, Topic, parse_topic

    topic = parse_topic(letter.topic)
    readings = isinstance(topic, Topic) and topic.kind in (Kind.READINGS, Kind.UNSEQUENCED)
    return readings and letter.reason is not DeadReason.TOO_LARGE


def _site(letter: "DeadLetter") -> str:
    from wire.topics import Topic, parse_topic

    topic = parse_topic(letter.topic)
    return topic.site if isinstance(topic, Topic) else letter.site
