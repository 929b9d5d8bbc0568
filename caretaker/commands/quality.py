"""`caretaker quality`: how good the alarms are, which are the worst, and what would help."""

from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from caretaker.commands.up import Config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.rule_desk import Report
    from domain.alarms import AlarmKey
    from rules.quality import Quality

_LISTED = 10


class Format(StrEnum):
    """How the figures are printed."""

    TABLE = "table"
    JSON = "json"


def quality(
    site: Annotated[str, typer.Argument(help="The site's id.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days, up to now.")] = 30,
    help_with: Annotated[
        int, typer.Option("--suggest", min=0, max=_LISTED, help="For so many of the worst alarms try what would help.")
    ] = 3,
    form: Annotated[Format, typer.Option("--format", help="For people, or one JSON object.")] = Format.TABLE,
    config: Config = None,
) -> None:
    """Print the figures of ISA-18.2 for the site and for each role, and the worst alarms with a tried suggestion."""
    import json

    from api.knowledge import Knowledge
    from api.rule_desk import RuleDesk, report_record
    from caretaker.process import now_ms
    from caretaker.settings import load_settings
    from caretaker.wiring import open_console, open_series
    from domain.times import DAY

    settings, now = load_settings(config), now_ms()
    with closing(open_console(settings)) as console, closing(open_series(settings)) as series:
        desk = RuleDesk(console, series, Knowledge(console), now_ms)
        report = desk.report(site, now - days * DAY, now)
        tried = desk.suggestions(site, report, help_with)
    if form is Format.JSON:
        typer.echo(json.dumps(report_record(report, tried), ensure_ascii=False))
        return
    for line in as_text(report, tried):
        typer.echo(line)


def as_text(report: "Report", tried: "Mapping[AlarmKey, str]") -> Iterator[str]:
    """The figures beside their targets, then the worst alarms."""
    from domain.times import format_duration, iso

    whole = report.whole
    yield f"{iso(whole.start)} to {iso(whole.end)}"
    yield f"{'':<38}{'site':>12}" + "".join(f"{role:>18}" for role in report.roles) + f"{'target':>16}"
    columns = [whole, *report.roles.values()]
    for title, cells, target in _rows(columns):
        widths = [12, *[18] * len(report.roles)]
        cells_text = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        yield f"{title:<38}{cells_text}{target:>16}"
    if whole.bad_actors:
        yield ""
        yield "The worst alarms:"
    for actor in whole.bad_actors[:_LISTED]:
        yield (
            f"  {actor.key.rule:<26}{actor.key.point:<32}{actor.count:>5}  {actor.share:>4.0%}  "
            f"active {format_duration(actor.active // 60_000 * 60_000)}, {actor.lapsed} over before anybody could act"
        )
        if actor.key in tried:
            yield f"      {tried[actor.key]}"


def _rows(columns: "list[Quality]") -> Iterator[tuple[str, list[str], str]]:
    from domain.alarms import Priority
    from domain.times import format_duration
    from rules.quality import TARGETS, WORST

    yield "alarms told", [str(one.annunciated) for one in columns], ""
    yield "alarms per hour", [f"{one.per_hour:.2f}" for one in columns], f"<= {TARGETS.per_hour:g}"
    yield "most in ten minutes", [str(one.busiest_period) for one in columns], ""
    yield (
        "ten-minute periods with more than 10",
        [f"{one.busy_periods:.1%}" for one in columns],
        f"< {TARGETS.busy_periods:.0%}",
    )
    yield "floods", [str(len(one.floods)) for one in columns], ""
    yield (
        f"share of the {WORST} worst alarms",
        [f"{one.worst_share:.0%}" for one in columns],
        f"<= {TARGETS.worst_share:.0%}",
    )
    yield "chattering alarms", [str(len(one.chattering)) for one in columns], str(TARGETS.chattering)
    yield "fleeting", [str(one.fleeting) for one in columns], str(TARGETS.fleeting)
    yield "over before anybody could act", [str(one.lapsed) for one in columns], ""
    yield "stale (active for more than a day)", [str(len(one.stale)) for one in columns], f"< {TARGETS.stale}"
    yield "marked a nuisance by people", [str(sum(one.nuisance.values())) for one in columns], ""
    for priority in reversed(Priority):
        yield f"priority {priority}", [f"{one.priorities[priority]:.0%}" for one in columns], ""
    yield "answered", [str(one.answered) for one in columns], ""
    yield (
        "median time to an answer",
        ["-" if one.median_answer is None else format_duration(one.median_answer // 1000 * 1000) for one in columns],
        "",
    )
