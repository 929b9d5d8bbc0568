"""The figures for programs (one JSON object), for people (a table in Markdown), and the page that keeps both.

Decides rounding and wording only.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caretaker.alarmbench.measure import Figures, KindFigures
from caretaker.alarmbench.run import Outcome
from caretaker.settings import read_text
from domain.errors import CaretakerError

BEGIN, END = "<!-- generated: {} -->", "<!-- end of generated: {} -->"

# kind -> least recall that is to be reached
GOALS: Mapping[str, float] = {
    "compressor_failure": 0.99, "power_cut": 0.99, "door_left_open": 0.99, "drop_out": 0.99, "error_code": 0.99,
    "stuck_sensor": 0.99, "refrigerant_loss": 0.9, "iced_evaporator": 0.9, "condenser_fouling": 0.9,
    "missed_defrost": 0.9,
}  # fmt: skip
MOST_FALSE, LEAST_LEAD, LEAST_RIGHT, MOST_NOT_SURE, MOST_LEFT_ERROR = 0.05, 20.0, 0.85, 0.15, 0.25
_DIGITS = 4


def as_document(outcome: Outcome) -> dict[str, Any]:
    """The figures as the contract of `--format json` has them; null is what was not measured or never happened."""
    return {**_members(outcome.tested), "baseline": _members(outcome.plain)}


def as_json(outcome: Outcome) -> str:
    """The same as text."""
    return json.dumps(as_document(outcome), indent=2)


def _members(found: Figures) -> dict[str, Any]:
    return {
        "faults": {
            kind: {
                "n": each.n,
                "recall": _rounded(each.recall),
                "median_detect_min": _rounded(each.median_detect),
                "median_lead_min": _rounded(each.median_lead),
            }
            for kind, each in found.kinds.items()
        },
        "false_alarms_per_asset_month": _rounded(found.false_per_month),
        "cause": {"right": _rounded(found.right), "not_sure": _rounded(found.not_sure)},
        "time_left": {
            "median_abs_error": _rounded(found.left_error),
            "estimates": found.left_said,
            "median_abs_error_all_faults": _rounded(found.left_error_all),
        },
    }


def as_table(outcome: Outcome) -> str:
    """A Markdown table with both rule sets, below a line that names the run; a ✗ stands where a goal is missed."""
    tested, plain = outcome.tested, outcome.plain
    lines = [
        f"Seed {outcome.seed}, {outcome.assets} assets, {outcome.days} days, {outcome.readings:,} readings; "
        f"{tested.asset_months:.0f} asset-months of normal life.",
        "",
        "| fault | n | recall (95 %) | to reach | found after | before the food limit | plain: recall | found after "
        "| before the food limit |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, each in tested.kinds.items():
        goal = GOALS.get(kind)
        wanted = "" if goal is None else f"≥ {goal:g}" + (" ✗" if each.recall < goal else "")
        other = plain.kinds[kind]
        lines.append(
            f"| `{kind}` | {each.n} | {_recall(each)} | {wanted} | {_minutes(each.median_detect)} | "
            f"{_minutes(each.median_lead)} | {_recall(other)} | {_minutes(other.median_detect)} | "
            f"{_minutes(other.median_lead)} |"
        )
    lines += ["", "| | packs | to reach | plain |", "|---|---|---|---|", *_others(tested, plain)]
    return "\n".join(lines)


def _others(tested: Figures, plain: Figures) -> list[str]:
    broken = [found.kinds.get("compressor_failure") for found in (tested, plain)]
    leads = [None if each is None else each.median_lead for each in broken]
    rows = [
        ("false alarms per asset-month", tested.false_per_month, f"≤ {MOST_FALSE}", plain.false_per_month, 1.0),
        ("median warning before the food limit, compressor failure, min", leads[0], f"≥ {LEAST_LEAD:g}", leads[1],
         -1.0),
        ("cause named right, of those named", tested.right, f"≥ {LEAST_RIGHT}", plain.right, -1.0),
        ("cause: not sure", tested.not_sure, f"≤ {MOST_NOT_SURE}", plain.not_sure, 1.0),
        (f"time left, compressor failure and power cut: median error as a share of the true time "
         f"({tested.left_said} estimates)", tested.left_error, f"≤ {MOST_LEFT_ERROR}", plain.left_error, 1.0),
        ("time left, all faults together: the same", tested.left_error_all, "", plain.left_error_all, 1.0),
    ]  # fmt: skip
    return [
        f"| {what} | {_number(first)} | {goal}{' ✗' if _missed(first, goal, sign) else ''} | {_number(second)} |"
        for what, first, goal, second, sign in rows
    ]


def _missed(value: float | None, goal: str, sign: float) -> bool:
    return bool(goal) and value is not None and sign * value > sign * float(goal[2:])


def _recall(each: KindFigures) -> str:
    return f"{each.recall:.2f} ({each.low:.2f}–{each.high:.2f})"


def _minutes(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f} min" if abs(value) < 600 else f"{value / 60:,.0f} h"


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3g}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def write_into(page: Path, part: str, text: str) -> None:
    """Replace what stands between the page's marks of that part. CaretakerError when it has none."""
    begin, end = BEGIN.format(part), END.format(part)
    old = read_text(page)
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
        raise CaretakerError(f"{page} has no place for {part}", f"put {begin} and {end} on lines of their own")
    before, after = old[: old.index(begin)], old[old.index(end) :]
    page.write_text(f"{before}{begin}\n\n{text}\n\n{after}", encoding="utf-8")
