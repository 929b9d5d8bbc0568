"""`caretaker bench`: how fast this machine is, beside peers that are measured in the same run."""

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import CaretakerError


def bench(
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    only: Annotated[str, typer.Option(help="Parts, e.g. single,packs; all without it.")] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="One short run: whether it works, not how fast it is.")
    ] = False,
    runs: Annotated[
        int | None, typer.Option(min=1, max=20, help="How often each part is measured; the median counts. Default: 5.")
    ] = None,
    document: Annotated[
        Path | None, typer.Option("--document", help="Write the table into this page, between its marks.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where the data of the run lies (removed after); default: temporary."),
    ] = None,
) -> None:
    """Measure throughput, latency, growth and the agent on this machine; needs Mosquitto and InfluxDB."""
    from dataclasses import replace

    from caretaker.bench.plan import FULL, QUICK, parts_of
    from caretaker.bench.run import measure

    if form not in ("table", "json"):
        raise CaretakerError(f"--format {form} is not known", "use table or json")
    parts = parts_of(only)
    plan = QUICK if quick else FULL
    if runs is not None:
        plan = replace(plan, runs=runs, growth_runs=runs)
    typer.echo(measure(plan, parts, form, document, folder))
