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
    document: Annotated[
        Path | None, typer.Option("--document", help="Write the table into this page, between its marks.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where the data of the run lies (removed after); default: temporary."),
    ] = None,
) -> None:
    """Measure throughput, latency, growth and the agent on this machine; needs Mosquitto and InfluxDB."""
    from caretaker.bench.plan import FULL, QUICK, parts_of
    from caretaker.bench.run import measure

    if form not in ("table", "json"):
        raise CaretakerError(f"--format {form} is not known", "use table or json")
    parts = parts_of(only)
    typer.echo(measure(QUICK if quick else FULL, parts, form, document, folder))
