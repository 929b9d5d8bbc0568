"""`python -m tests.insight measure`: how good the estimates of time left and cause are, on simulated fleets.

`fit` writes the table of causes anew. Seeds used for fitting (1 to 5) and for measuring (101 and up) differ; mixing
them up is refused.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rules.insight.causes import Cause, weigh
from rules.insight.thermal import Outlook
from tests.insight.cases import CauseCase, TimeCase, cause_cases, early_cases, time_cases
from tests.insight.fit import CAUSES, as_module, fitted
from tests.insight.fleet import simulate

TABLE = Path(__file__).parents[2] / "rules" / "insight" / "table.py"
FIRST_MEASURED = 101
FIT_SEEDS, MEASURE_SEEDS = "1,2,3,4,5", "101,102,103"


def main(words: Sequence[str] | None = None) -> int:
    """Exit code 0; 2 when the seeds are those of the other purpose."""
    parser = argparse.ArgumentParser(prog="python -m tests.insight", description=__doc__)
    parser.add_argument("what", choices=("fit", "measure"))
    parser.add_argument("--seeds", default="")
    parser.add_argument("--assets", type=int, default=120)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    asked = parser.parse_args(words)
    seeds = [int(seed) for seed in (asked.seeds or (FIT_SEEDS if asked.what == "fit" else MEASURE_SEEDS)).split(",")]
    if any((seed >= FIRST_MEASURED) != (asked.what == "measure") for seed in seeds):
        print(f"seeds below {FIRST_MEASURED} are for fit, the others for measure", file=sys.stderr)
        return 2
    if asked.what == "fit":
        cases: list[CauseCase] = []
        for seed in seeds:
            run = simulate(seed, asked.assets)
            cases += [*cause_cases(run), *cause_cases(run, later=45), *early_cases(run)]
        table = fitted((CAUSES[case.kind], case.observed) for case in cases)
        command = f"python -m tests.insight fit --seeds {','.join(map(str, seeds))} --assets {asked.assets}"
        TABLE.write_text(as_module(table, command, len(cases)), encoding="utf-8")
        print(f"{TABLE}: {len(cases)} cases")
        return 0
    causes: list[CauseCase] = []
    early: list[CauseCase] = []
    times: list[TimeCase] = []
    for seed in seeds:
        run = simulate(seed, asked.assets)
        causes += cause_cases(run)
        early += early_cases(run)
        times += time_cases(run)
    found = {
        "seeds": seeds,
        "cause": cause_figures(causes),
        "cause_early": cause_figures(early),
        "time_left": time_figures(times),
    }
    print(json.dumps(found, indent=1) if asked.format == "json" else as_text(found))
    return 0


def cause_figures(cases: Sequence[CauseCase]) -> dict[str, object]:
    """`right` of those that commit, share `not_sure`, and what each kind of fault was called."""
    called: dict[str, Counter[str]] = defaultdict(Counter)
    right = unsure = 0
    for case in cases:
        judged = weigh(case.observed)
        called[case.kind][str(judged.cause)] += 1
        unsure += judged.cause is Cause.NOT_SURE
        right += judged.cause is CAUSES[case.kind]
    return {
        "n": len(cases),
        "right": round(right / max(len(cases) - unsure, 1), 3),
        "not_sure": round(unsure / max(len(cases), 1), 3),
        "called": {kind: dict(names) for kind, names in sorted(called.items())},
    }


def time_figures(cases: Sequence[TimeCase]) -> dict[str, object]:
    """Median absolute relative error, and how often the truth lay within the interval, by moment and probe."""
    groups = {
        "at_alarm": [case for case in cases if case.at_alarm],
        "at_alarm_with_probe": [case for case in cases if case.at_alarm and case.probe],
        "at_alarm_without_probe": [case for case in cases if case.at_alarm and not case.probe],
        "early": [case for case in cases if not case.at_alarm],
    }
    return {name: _group(group) for name, group in groups.items()}


def _group(cases: Sequence[TimeCase]) -> dict[str, object]:
    said = [case for case in cases if case.said.outlook is Outlook.HEADING and case.said.minutes is not None]
    if not said:
        return {"n": len(cases), "said": 0}
    errors = [abs((case.said.minutes or 0.0) - case.true) / case.true for case in said]
    inside = [(case.said.low or 0.0) <= case.true <= (case.said.high or np.inf) for case in said]
    return {
        "n": len(cases),
        "said": len(said),
        "median_abs_error": round(float(np.median(errors)), 3),
        "within_interval": round(float(np.mean(inside)), 3),
        "median_true_min": round(float(np.median([case.true for case in said])), 1),
    }


def as_text(found: dict[str, object]) -> str:
    """The figures for people."""
    return json.dumps(found, indent=1, ensure_ascii=False).translate(str.maketrans("", "", '"{},'))


if __name__ == "__main__":
    sys.exit(main())
