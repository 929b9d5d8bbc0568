"""`caretaker backtest`: what rules would have said about recorded readings, and what another set would have said."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import InputError, Place

if TYPE_CHECKING:
    from domain.alarms import Transition
    from domain.catalogue import Catalogue
    from rules.model import RuleSet
    from rules.readings_csv import ReadingRows

_BLOCK = 1 << 18  # bytes read at once: what fits the cache is parsed half as fast again
_MOST_NAMED = 5  # points that a warning names
_TABLE = "{:<24}  {:<24} {:<30} {:<44} {:<14} {:<8} {}"


class Format(StrEnum):
    """How transitions are printed."""

    JSONL = "jsonl"
    TABLE = "table"


def backtest(
    rules: Annotated[list[str], typer.Option(help="A rule file, or pack:NAME; may be given several times.")],
    readings: Annotated[
        Path, typer.Option(help="CSV: time,point,value[,quality][,received]; rows in order of arrival.")
    ],
    site: Annotated[Path | None, typer.Option(help="The site's file: asset types, intervals, names of states.")] = None,
    since: Annotated[str, typer.Option("--from", help="Only readings from this time on (RFC 3339 or epoch ms).")] = "",
    until: Annotated[str, typer.Option("--to", help="Only readings before this time; judge up to it.")] = "",
    form: Annotated[Format, typer.Option("--format", help="One JSON object per line, or a table.")] = Format.JSONL,
    against: Annotated[
        list[str] | None, typer.Option(help="The rules in force now: say what --rules would change instead.")
    ] = None,
) -> None:
    """Print every transition that the rules give on the readings, in order of detection.

    With --against: print which alarms --rules would remove, hide, add or move, compared with those.
    """
    from caretaker.rule_files import load_rule_files, load_site_file
    from rules.backtest import backtest as judge
    from rules.readings_csv import read_readings

    ruleset = load_rule_files(rules)
    catalogue = load_site_file(site) if site else None
    start, end = _moment("--from", since), _moment("--to", until)
    states = {name: point.states for name, point in catalogue.by_name.items() if point.states} if catalogue else {}
    rows = read_readings(_blocks(readings), str(readings), states).between(start, end)
    for line in warnings(ruleset, rows.points, catalogue):
        typer.echo(line, err=True)
    if against:
        _compare(load_rule_files(against), ruleset, rows, catalogue, end, form)
        return
    outcome = judge(ruleset, rows, catalogue, end)
    if outcome.unjudged:
        typer.echo(f"{outcome.unjudged} late readings were too old to be judged", err=True)
    for text in as_table(outcome.transitions) if form is Format.TABLE else as_json_lines(outcome.transitions):
        typer.echo(text)


def _compare(
    before: "RuleSet",
    after: "RuleSet",
    rows: "ReadingRows",
    catalogue: "Catalogue | None",
    end: int | None,
    form: Format,
) -> None:
    import json

    from caretaker.trial_text import as_text
    from rules.as_records import comparison_record
    from rules.compare import compare

    effect = compare(before, after, rows, catalogue, end=end)
    if form is Format.JSONL:
        typer.echo(json.dumps(comparison_record(effect), ensure_ascii=False))
        return
    for line in as_text(effect):
        typer.echo(line)


def warnings(rules: "RuleSet", points: Iterable[str], catalogue: "Catalogue | None") -> list[str]:
    """What a person should know before believing the result."""
    from rules.matching import check_against, check_without_site

    if catalogue is None:
        return [str(finding) for finding in check_without_site(rules, points)]
    lines = [str(finding) for finding in check_against(rules, catalogue)]
    strangers = [name for name in points if name not in catalogue.by_name]
    if strangers:
        named = ", ".join(strangers[:_MOST_NAMED]) + (" …" if len(strangers) > _MOST_NAMED else "")
        lines.append(f"warning: {len(strangers)} points of the readings are not in {catalogue.site}: {named}")
    return lines


def as_json_lines(transitions: "Iterable[Transition]") -> Iterator[str]:
    """One JSON object per transition."""
    import json

    from rules.backtest import as_line

    for transition in transitions:
        yield json.dumps(as_line(transition), ensure_ascii=False)


def as_table(transitions: "Iterable[Transition]") -> Iterator[str]:
    """Columns for people; a last line counts them."""
    from rules.backtest import as_line

    count = 0
    yield _TABLE.format("at", "rule", "point", "from -> to", "reason", "priority", "value").rstrip()
    for transition in transitions:
        line = as_line(transition)
        value = "" if line["value"] is None else f"{line['value']:g}"
        step, late = f"{line['from']} -> {line['to']}", "  (retroactive)" if line["retroactive"] else ""
        row = _TABLE.format(
            line["at"], line["rule"], line["point"], step, line["reason"], line["priority"] or "", value
        )
        yield (row + late).rstrip()
        count += 1
    yield f"{count} transitions"


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
    except OSError as error:
        raise InputError(Place(str(path)), f"cannot be read: {error.strerror}", "check the path") from None


def _moment(option: str, text: str) -> int | None:
    from domain.errors import CaretakerError
    from domain.times import parse_time

    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise CaretakerError(f"{option}: {error}") from None
