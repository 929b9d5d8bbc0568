"""`caretaker alarmbench`: what the rules catch, how soon, and how often they cry wolf, on a simulated fleet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import CaretakerError

if TYPE_CHECKING:
    from caretaker.alarmbench.run import Outcome


def alarmbench(
    seed: Annotated[
        int | None, typer.Option(help="The fleet; default: the reporting seed. Tune rules on another one.", min=0)
    ] = None,
    days: Annotated[int, typer.Option(help="How many days.", min=1, max=366)] = 30,
    assets: Annotated[int, typer.Option(help="How many assets.", min=3, max=5000)] = 200,
    rules: Annotated[
        list[str] | None, typer.Option(help="A rule file, or pack:NAME; may be repeated. Default: the default packs.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    document: Annotated[
        Path | None, typer.Option("--document", help="Write table, curve and pictures into this page.")
    ] = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="Judge bolder and more patient delays too: the trade-off.")
    ] = False,
    speed: Annotated[
        bool, typer.Option("--speed", help="Instead: readings per second of the engine on this machine.")
    ] = False,
    processes: Annotated[int, typer.Option(help="Worker processes; the outcome does not depend on it.", min=1)] = 2,
) -> None:
    """Simulate a fleet with labelled faults, judge it with the rules, and compare both with the truth."""
    if form not in ("table", "json"):
        raise CaretakerError(f"--format {form} is not known", "use table or json")
    if speed:
        _speed(form, document)
        return
    from caretaker.alarmbench import report
    from caretaker.alarmbench.curve import as_table
    from caretaker.alarmbench.insight import advise
    from caretaker.alarmbench.run import PACKS, REPORTING_SEED, measure

    outcome = measure(
        REPORTING_SEED if seed is None else seed,
        assets,
        days,
        rules or PACKS,
        adviser=advise,
        curve=curve or document is not None,
        processes=processes,
        progress=lambda done, of: typer.echo(f"{done} of {of} parts of the fleet judged", err=True),
    )
    typer.echo(report.as_json(outcome) if form == "json" else report.as_table(outcome))
    if outcome.marks and form == "table":
        typer.echo("\n" + as_table(outcome.marks))
    if document is not None:
        _write(document, outcome)


def _write(page: Path, outcome: "Outcome") -> None:
    from caretaker.alarmbench import report
    from caretaker.alarmbench.curve import as_table
    from caretaker.alarmbench.pictures import curve_chart, recall_chart, write_picture

    report.write_into(page, "figures", report.as_table(outcome))
    report.write_into(page, "curve", as_table(outcome.marks))
    write_picture(recall_chart(outcome.tested, outcome.plain), page.parent / "images" / "alarmbench-recall.svg")
    write_picture(curve_chart(outcome.marks), page.parent / "images" / "alarmbench-curve.svg")


def _speed(form: str, page: Path | None) -> None:
    from caretaker.alarmbench import report
    from caretaker.alarmbench.speed import as_json, as_table, measure_speed

    rows = measure_speed()
    typer.echo(as_json(rows) if form == "json" else as_table(rows))
    if page is not None:
        report.write_into(page, "speed", as_table(rows))
