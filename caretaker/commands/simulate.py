"""`caretaker simulate`: a stretch of a site's life without the site, as readings and the truth behind them."""

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import CaretakerError


def simulate(
    site: Annotated[Path, typer.Option(help="The site's catalogue (YAML).")],
    out: Annotated[Path, typer.Option(help="The folder for readings.csv and truth.json.")],
    scenario: Annotated[Path | None, typer.Option(help="What happens (YAML); without it, normal life.")] = None,
    days: Annotated[float, typer.Option(help="How many days.", min=0.0, max=3660.0)] = 7.0,
    seed: Annotated[int, typer.Option(help="Another seed is another school.", min=0)] = 1,
    interval: Annotated[str, typer.Option(help="Time between two samples of a point.")] = "60s",
    start: Annotated[str | None, typer.Option(help="First moment (RFC 3339); overrides the scenario's.")] = None,
) -> None:
    """Simulate a site and write readings.csv and truth.json; the same arguments give the same bytes."""
    from rich.console import Console
    from rich.progress import Progress

    from domain.catalogue_file import load_catalogue
    from domain.times import DAY
    from simulators.scenario import Scenario, load_scenario
    from simulators.simulate import Plan
    from simulators.simulate import simulate as run

    first = None if start is None else _moment(start)
    spacing = _interval(interval)
    catalogue = load_catalogue(_read(site), str(site))
    if scenario is not None:
        story = load_scenario(_read(scenario), str(scenario), catalogue, first)
    else:
        story = Scenario() if first is None else Scenario(first)
    plan = Plan(catalogue, story, seed, story.start + round(days * DAY), spacing)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Simulating {catalogue.site}", total=1.0)
        written = run(plan, out, lambda share: bar.update(task, completed=share))
    typer.echo(f"{written.count:,} readings in {written.readings}")
    typer.echo(f"ground truth in {written.truth}")


def _moment(text: str) -> int:
    from domain.times import parse_time

    try:
        return parse_time(text)
    except ValueError as error:
        raise CaretakerError(f"--start: {error}", "write for example 2026-03-02T00:00:00+08:00") from None


def _interval(text: str) -> int:
    from domain.times import SECOND, parse_duration

    try:
        interval = parse_duration(text)
    except ValueError as error:
        raise CaretakerError(f"--interval: {error}") from None
    if interval < SECOND:
        raise CaretakerError(f"--interval: {text} is too short", "use 1s or more")
    return interval


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CaretakerError(f"{path} cannot be read: {error}", "give the path of a YAML file in UTF-8") from None
