"""The figures of a run for programs (one JSON object) and for people (a table in Markdown), and the page that keeps it.

Decides rounding and wording only. A part that was not measured is absent from both.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caretaker.settings import read_text
from domain.errors import CaretakerError

BEGIN, END = "<!-- generated: figures -->", "<!-- end of generated: figures -->"
Figures = Mapping[str, Any]
_DIGITS = 3

# part -> (its figure, digits after the point, what it says, what is to be reached)
ROWS = {
    "single": (
        ("messages_per_s", 0, "one reading a message, judged by three rules, journalled, stored: messages/s", ""),
        ("peer_per_s", 0, "stock paho `loop_start` subscriber that does nothing: messages/s", ""),
        ("ratio", 2, "ratio to that", "≥ 1.0"),
        ("mosquitto_sub_per_s", 0, "`mosquitto_sub -q 1`: messages/s", ""),
        ("mosquitto_sub_ratio", 2, "ratio to that", ""),
    ),
    "packs": (
        ("readings_per_s", 0, "packs of 60, judged, into InfluxDB: readings/s", ""),
        ("peer_per_s", 0, "writer of the same lines, ready-made: readings/s", ""),
        ("ratio", 2, "ratio to that", "≥ 0.8"),
    ),
    "latency": (
        ("p50_ms", 0, "publish to transition committed, 2,000 readings/s, median: ms", ""),
        ("p99_ms", 0, "99 of 100 within: ms", "≤ 250"),
    ),
    "judging": (
        ("limits_percent", 1, "judging, of ingest's processor time: two limits and silence on every point: %", ""),
        ("limits_readings_per_s", 0, "readings/s meanwhile", ""),
        ("mixed_percent", 1, "with levels, masks, silence and one derived rule on every point: %", "≤ 15"),
        ("mixed_readings_per_s", 0, "readings/s meanwhile", ""),
    ),
    "agent": (
        ("rss_mb", 0, "agent at 50 readings/s, resident memory: MiB", ""),
        ("cpu_percent", 1, "of one core: %", ""),
        ("drain_readings", 0, "readings in the outbox", ""),
        ("drain_s", 1, "until all of them are receipted: s", ""),
    ),
}


def as_json(figures: Figures) -> str:
    """One object, a member per part; numbers with at most three digits after the point."""
    return json.dumps(_rounded(figures), indent=2)


def as_table(figures: Figures, machine: Mapping[str, str], note: str) -> str:
    """A Markdown table of what was measured, below a line about the machine."""
    described = "; ".join(f"{name} {value}" for name, value in machine.items())
    lines = [note, "", described + ".", "", "| part | what | figure | to reach |", "|---|---|---|---|"]
    for part, rows in ROWS.items():
        for key, digits, meaning, goal in rows if part in figures else ():
            lines.append(f"| {part} | {meaning} | {figures[part][key]:,.{digits}f} | {goal} |")
    lines += _growth(figures.get("growth", ()))
    return "\n".join(lines)


def write_into(page: Path, table: str) -> None:
    """Replace what stands between the page's marks. InputError, CaretakerError when the page cannot take it."""
    text = read_text(page)
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise CaretakerError(f"{page} has no place for the figures", f"put {BEGIN} and {END} on lines of their own")
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{after}", encoding="utf-8")


def _growth(rows: Any) -> list[str]:
    lines = []
    for row in rows:
        what = f"10,000 readings/s from {row['points']:,} points: µs of processor per reading, MiB, s of lag"
        figure = f"{row['cpu_us_per_reading']:.1f}, {row['rss_mb']:,.0f}, {row['lag_s']:.2f}"
        lines.append(f"| growth | {what} | {figure} | |")
    if len(rows) > 1 and rows[0]["cpu_us_per_reading"]:
        ratio = rows[-1]["cpu_us_per_reading"] / rows[0]["cpu_us_per_reading"]
        lines.append(f"| growth | processor per reading, last to first | {ratio:.2f} | ≤ 1.3 |")
    return lines


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(value, _DIGITS) if isinstance(value, float) else value
