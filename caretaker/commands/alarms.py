"""`caretaker alarms`: list alarms and answer them from a terminal, by the same operations as the page."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from caretaker.commands.up import Config
from domain.alarms import AlarmKey, FoodFate, Nuisance, OverlayKind, Remedy
from domain.errors import CaretakerError

if TYPE_CHECKING:
    from pathlib import Path

    from api.commands import Commands, Said
    from domain.alarms import Alarm, Transition

app = typer.Typer(no_args_is_help=True, help="Alarms: list them, and answer them.")

Site = Annotated[str, typer.Argument(help="The site's id.")]
Rule = Annotated[str, typer.Argument(help="The rule's id.")]
Point = Annotated[str, typer.Argument(help="asset/metric, e.g. fridge-1/temperature.")]
By = Annotated[str, typer.Option(help="Who does this: a name, for the log and the audit.")]
Note = Annotated[str, typer.Option(help="What there is to say.")]
Why = Annotated[str, typer.Option("--why", help="Why.")]


@app.command("list")
def list_alarms(
    site: Annotated[str, typer.Option(help="Only this site's; empty: all.")] = "",
    overlay: Annotated[OverlayKind | None, typer.Option(help="Only what is under this overlay.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is over and answered.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the most pressing first.")] = 50,
    config: Config = None,
) -> None:
    """List open alarms: state, priority, site, rule, point, and what lies over them."""
    from caretaker.settings import load_settings
    from caretaker.wiring import open_console
    from domain.alarms import AlarmState
    from domain.records import AlarmFilter

    states = () if everything or overlay else tuple(one for one in AlarmState if one is not AlarmState.NORMAL)
    store = open_console(load_settings(config))
    try:
        found, total = store.alarms(AlarmFilter(site or None, states, overlay=overlay), limit)
    finally:
        store.close()
    for alarm in found:
        typer.echo(_line(alarm))
    typer.echo(f"{total} alarms." if total == len(found) else f"{len(found)} of {total} alarms.")


@app.command("ack")
def acknowledge(
    site: Site,
    rule: Rule,
    point: Point,
    by: By,
    note: Note = "",
    nuisance: Annotated[Nuisance | None, typer.Option(help="It told nothing new, and why.")] = None,
    config: Config = None,
) -> None:
    """Somebody has seen it."""
    _do(config, lambda do: do.acknowledge(site, _key(rule, point), _said(by, note), nuisance))


@app.command("confirm")
def confirm(
    site: Site,
    rule: Rule,
    point: Point,
    by: By,
    remedy: Annotated[Remedy, typer.Option(help="What was done.")],
    food: Annotated[FoodFate, typer.Option(help="What became of the food.")],
    note: Note = "",
    config: Config = None,
) -> None:
    """Record a corrective action."""
    _do(config, lambda do: do.confirm(site, _key(rule, point), _said(by, note), remedy, food))


@app.command("silence")
def silence(site: Site, rule: Rule, point: Point, by: By, note: Note = "", config: Config = None) -> None:
    """Stop its messages until it is raised, gets worse, or comes off the shelf."""
    _do(config, lambda do: do.silence(site, _key(rule, point), _said(by, note)))


@app.command("reset")
def reset(site: Site, rule: Rule, point: Point, by: By, note: Note = "", config: Config = None) -> None:
    """Release a latch."""
    _do(config, lambda do: do.reset(site, _key(rule, point), _said(by, note)))


@app.command("shelve")
def shelve(
    site: Site,
    rule: Rule,
    point: Point,
    by: By,
    why: Why,
    lasting: Annotated[str, typer.Option("--for", help="How long, e.g. 90min or 2h; the settings bound it.")],
    config: Config = None,
) -> None:
    """Set it aside for a time."""
    from caretaker.process import now_ms
    from domain.times import parse_duration

    try:
        length = parse_duration(lasting)
    except ValueError as error:
        raise CaretakerError(f"--for: {error}", "write it like 90min or 2h") from None
    _do(config, lambda do: do.shelve(site, _key(rule, point), _said(by, why), now_ms() + length))


@app.command("unshelve")
def unshelve(site: Site, rule: Rule, point: Point, by: By, note: Note = "", config: Config = None) -> None:
    """Take it from the shelf before its time."""
    _do(config, lambda do: do.unshelve(site, _key(rule, point), _said(by, note)))


@app.command("assign")
def assign(
    site: Site,
    rule: Rule,
    point: Point,
    by: By,
    to: Annotated[str, typer.Option(help="A person or a role; empty: nobody.")],
    config: Config = None,
) -> None:
    """Say whose it is."""
    _do(config, lambda do: do.assign(site, _key(rule, point), _said(by, ""), to.strip()))


@app.command("comment")
def comment(site: Site, rule: Rule, point: Point, by: By, note: Note, config: Config = None) -> None:
    """Write something down."""
    _do(config, lambda do: do.comment(site, _key(rule, point), _said(by, note)))


def _do(config: "Path | None", act: "Callable[[Commands], Transition]") -> None:
    """One command on the installation's store; what came of it is said in a line."""
    from api.commands import Commands
    from api.knowledge import Knowledge
    from api.problems import ProblemError
    from caretaker.process import now_ms
    from caretaker.settings import load_settings
    from caretaker.wiring import open_console, shelf_limits

    settings = load_settings(config)
    store = open_console(settings)
    try:
        done = act(Commands(store, Knowledge(store), now_ms, shelf_limits(settings)))
    except ProblemError as problem:
        raise CaretakerError(problem.detail, problem.remedy) from None
    finally:
        store.close()
    typer.echo(f"{done.event}: {done.key.rule} of {done.key.point}: {done.source} -> {done.target}")


def _said(by: str, note: str) -> "Said":
    from api.commands import Said

    if not by.strip():
        raise CaretakerError("--by is empty", "say who does this")
    return Said(by.strip(), note.strip())


def _key(rule: str, point: str) -> AlarmKey:
    from domain.ids import parse_point

    return AlarmKey(rule, str(parse_point(point)))


def _line(alarm: "Alarm") -> str:
    from caretaker.output import printable
    from domain.times import iso

    parts = [f"{alarm.state:<24} {alarm.priority or '-':<7} {alarm.site}  {alarm.key.rule}  {alarm.key.point}"]
    if alarm.raised_at is not None:
        parts.append(f"since {iso(alarm.raised_at)}")
    for lay in alarm.overlays:
        until = f" until {iso(lay.until)}" if lay.until is not None else ""
        parts.append(f"{lay.kind}{until} by {lay.by}: {lay.why}")
    return printable("  ".join(parts))
