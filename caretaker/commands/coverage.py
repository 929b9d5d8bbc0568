"""`caretaker coverage`: which part of the time each point of a site was measured, for the inspector's file too."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from caretaker.commands.up import Config

if TYPE_CHECKING:
    from api.coverage import CoverageReport


class Format(StrEnum):
    """How the report is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def coverage(
    site: Annotated[str, typer.Argument(help="The site's id.")],
    days: Annotated[int, typer.Option(min=1, max=31, help="How many local days, today among them.")] = 7,
    asset: Annotated[str | None, typer.Option(help="Only this asset.")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="For people, one JSON object a point, or CSV by point and day.")
    ] = Format.TABLE,
    config: Config = None,
) -> None:
    """Print how long each point was measured, backfilled and unknown, and why it was unknown where that is known."""
    from api.coverage import CoverageDesk, csv_of
    from api.coverage_models import report as as_json
    from api.knowledge import Knowledge
    from api.operations import Operations
    from caretaker.process import now_ms
    from caretaker.settings import load_settings
    from caretaker.wiring import open_console, open_series

    settings, now = load_settings(config), now_ms()
    with closing(open_console(settings)) as console, closing(open_series(settings)) as series:
        desk = CoverageDesk(Operations(console, series, Knowledge(console), lambda: now))
        pages = desk.whole(site, days, asset)
        if form is Format.CSV:
            typer.echo(csv_of(pages), nl=False)
        elif form is Format.JSON:
            for page in pages:
                for item in as_json(page).items:
                    typer.echo(item.model_dump_json())
        else:
            for line in as_text(pages):
                typer.echo(line)


def as_text(pages: "Iterable[CoverageReport]") -> Iterator[str]:
    """A row per point: minutes of the whole time."""
    from api.coverage import percent

    yield f"{'point':<32}{'known':>8}" + "".join(f"{title:>13}" for title in _COLUMNS)
    for page in pages:
        for one in page.points:
            total = one.total
            parts = (total.measured, total.backfilled, total.unknown, total.bad, total.lost, total.silent)
            cells = "".join(f"{part / 60_000:>13.1f}" for part in parts)
            yield f"{one.point.name:<32}{percent(total) + ' %':>8}{cells}"


_COLUMNS = ("measured min", "backfilled", "unknown", "sensor error", "lost", "silent")
