"""A small fleet from its seed to the figures, the table, the page and the command; the run is a matter of seconds."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from caretaker.alarmbench import curve, report
from caretaker.alarmbench.advice import CAUSE_OF
from caretaker.alarmbench.insight import advise
from caretaker.alarmbench.judging import judge_chunk, raised_by, raised_by_each, rows_of
from caretaker.alarmbench.measure import Advice, Figures, KindFigures, Raised
from caretaker.alarmbench.pictures import curve_chart, recall_chart, write_picture
from caretaker.alarmbench.run import PACKS, PLAIN, REPORTING_SEED, TUNING_SEED, Outcome, RuleSource, measure
from caretaker.alarmbench.speed import as_table as speed_table
from caretaker.alarmbench.speed import measure_speed
from caretaker.alarmbench.speed import rows_of as speed_rows
from caretaker.alarmbench.truth import SLOW, spans_of, truth_of
from caretaker.cli import build
from caretaker.rule_files import load_rule_files
from domain.errors import CaretakerError, InputError
from domain.times import HOUR, MINUTE
from rules.backtest import backtest
from rules.condition_file import DERIVED
from rules.model import RuleSet
from simulators.faults import Fault, FaultKind
from simulators.fleet import START, make_fleet
from simulators.fleet_faults import COURSES
from simulators.probes import CLEAN, readings_of
from simulators.recording import record

SIZE = (4, 5, 2)  # seed, assets, days: a compressor, a fan, a stuck and a silent probe, a power cut


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return measure(*SIZE, processes=1, adviser=always_the_compressor)


def always_the_compressor(canteen: Any, points: Any, faults: Any, found: Any) -> dict[str, Advice]:
    assert set(found) <= {fault.id for fault in faults}
    assert {each.point for each in points} == {point.name for point in canteen.points()}
    return {name: Advice("compressor", 60.0) for name in found}


def test_tuning_and_reporting_use_different_fleets() -> None:
    assert TUNING_SEED != REPORTING_SEED
    assert make_fleet(TUNING_SEED, 10, 5).faults != make_fleet(REPORTING_SEED, 10, 5).faults


def test_a_small_fleet_is_judged_and_what_breaks_is_found(outcome: Outcome) -> None:
    assert outcome.readings > 40_000
    kinds = outcome.tested.kinds
    assert kinds["power_cut"].recall == 1.0
    assert kinds["drop_out"].recall == 1.0
    assert kinds["compressor_failure"].recall == 1.0
    assert sum(each.n for each in kinds.values()) == 5
    assert set(kinds) <= set(COURSES)
    assert outcome.tested.false_per_month < outcome.plain.false_per_month


def test_the_advisers_words_are_judged_only_beside_the_tested_rules(outcome: Outcome) -> None:
    named = [
        CAUSE_OF[fault.kind] for part in outcome.tested_parts for fault in part.truth.faults if fault.id in part.found
    ]
    assert outcome.tested.right == pytest.approx(named.count("compressor") / len(named))
    assert outcome.tested.not_sure == 0.0
    assert (outcome.plain.right, outcome.plain.left_error) == (None, None)


def test_every_kind_of_fault_has_a_cause_and_a_course() -> None:
    assert set(CAUSE_OF) == set(COURSES)
    assert set(SLOW) <= set(COURSES)
    assert set(report.GOALS) <= set(COURSES)


def test_the_json_is_the_contract(outcome: Outcome) -> None:
    found = json.loads(report.as_json(outcome))
    members = {"faults", "false_alarms_per_asset_month", "cause", "time_left"}
    assert set(found) == members | {"baseline"}
    assert set(found["baseline"]) == members
    for each in (*found["faults"].values(), *found["baseline"]["faults"].values()):
        assert set(each) == {"n", "recall", "median_detect_min", "median_lead_min"}
    assert set(found["cause"]) == {"right", "not_sure"}
    assert found["baseline"]["cause"] == {"right": None, "not_sure": None}
    assert set(found["time_left"]) == {"median_abs_error", "estimates", "median_abs_error_all_faults"}


def test_the_table_marks_what_is_missed() -> None:
    kind = KindFigures(10, 9, 0.6, 0.98, 33.0, 700.0, 4)
    good = Figures({"compressor_failure": kind}, 3, 100.0, 0.9, 0.1, 0.2, 0)
    shown = report.as_table(Outcome(1, 2, 3, 4, good, replace(good, false_alarms=900), (), ()))
    assert "| `compressor_failure` | 10 | 0.90 (0.60–0.98) | ≥ 0.99 ✗ | 33 min | 12 h |" in shown
    assert "| false alarms per asset-month | 0.03 | ≤ 0.05 | 9 |" in shown
    assert shown.count("✗") == 1
    bad = replace(good, false_alarms=30, right=0.5, not_sure=0.5, left_error=None)
    worse = report.as_table(Outcome(1, 2, 3, 4, bad, good, (), ()))
    assert worse.count("✗") == 4
    assert "| not measured | ≤ 0.25 | 0.2 |" in worse
    others = report.as_table(Outcome(1, 2, 3, 4, replace(good, left_said=7, left_error_all=0.9), good, (), ()))
    assert "(7 estimates) | 0.2 | ≤ 0.25 | 0.2 |" in others
    assert "all faults together: the same | 0.9 |  | not measured |" in others, "no goal, no mark"


def test_without_compressor_failures_there_is_no_lead_and_no_error() -> None:
    empty = Figures({}, 0, 0.0, None, None, None, 0)
    assert "| not measured | ≥ 20 | not measured |" in report.as_table(Outcome(1, 2, 3, 4, empty, empty, (), ()))


def test_a_page_is_written_between_its_marks_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- generated: speed -->\nold\n<!-- end of generated: speed -->\nafter\n")
    report.write_into(page, "speed", "new")
    assert page.read_text() == ("before\n<!-- generated: speed -->\n\nnew\n\n<!-- end of generated: speed -->\nafter\n")
    with pytest.raises(CaretakerError, match="no place for figures"):
        report.write_into(page, "figures", "x")


def test_pictures_are_drawn_of_the_figures(outcome: Outcome, tmp_path: Path) -> None:
    marks = (curve.mark("packs", 1.0, outcome.tested), curve.mark("plain", 1.0, outcome.plain))
    write_picture(recall_chart(outcome.tested, outcome.plain), tmp_path / "images" / "recall.svg")
    write_picture(curve_chart(marks), tmp_path / "images" / "curve.svg")
    assert "power_cut" in (tmp_path / "images" / "recall.svg").read_text()
    assert "× 1" in (tmp_path / "images" / "curve.svg").read_text()


def test_delays_are_stretched_and_nothing_else() -> None:
    rules = load_rule_files([str(PLAIN)])
    twice = RuleSource("plain", (str(PLAIN),), 2.0).load()
    assert [level.on_delay for level in twice.rules["plain-cold"].levels] == [40 * MINUTE]
    assert RuleSource("plain", (str(PLAIN),)).load() == rules
    assert curve.stretched(rules, 1.0) == rules
    assert "| plain | × 2 |" in curve.as_table([curve.Mark("plain", 2.0, 0.5, 1.0, None)])


def test_readings_of_several_points_stand_in_order_of_arrival() -> None:
    fleet = make_fleet(3, 3, 1, per_kind=0)
    recording = record(fleet.catalogue, 3, fleet.start, fleet.start + HOUR, ())
    points = [each for asset in fleet.catalogue.assets for each in readings_of(recording, asset, (), CLEAN)]
    rows = rows_of(points)
    assert len(rows) == sum(len(each.time) for each in points) == 60 * len(points)
    assert (rows.received[1:] >= rows.received[:-1]).all()
    for number, each in enumerate(points):
        assert rows.value[rows.point == number].tolist() == pytest.approx(each.value.tolist(), nan_ok=True)


def test_an_alarm_that_comes_again_is_another_alarm() -> None:
    fleet = make_fleet(3, 3, 1, per_kind=0)
    recording = record(fleet.catalogue, 3, fleet.start, fleet.start + 6 * HOUR, ())
    asset = next(one for one in fleet.catalogue.assets if one.type == "refrigerator")
    (each, *_) = readings_of(recording, asset, (), CLEAN)
    each.value[:] = 4.0
    for first in (60, 180):
        each.value[first : first + 50] = 9.0
    rules = load_rule_files([str(PLAIN)])
    raised = raised_by(backtest(rules, rows_of([each]), fleet.catalogue, fleet.start + 6 * HOUR).transitions)
    assert [(one.at - fleet.start) // MINUTE for one in raised] == [80, 200]


def test_the_truth_of_a_chunk_has_windows_and_warm_food() -> None:
    fleet = make_fleet(4, 10, 8)
    recording = record(fleet.catalogue, 4, fleet.start, fleet.start + HOUR, fleet.faults, fleet.life)
    truth = truth_of(fleet, recording)
    for fault in truth.faults:
        assert fault.start < fault.until <= fault.end < fault.settled
        assert (fault.point is None) == (fault.kind not in ("stuck_sensor", "sensor_drift", "drop_out", "error_code"))
        assert len(fault.assets) == (10 if fault.kind == "power_cut" else 1)
    assert all(spans == () for spans in truth.warm.values())  # the first hour of a quiet night


def test_spans_are_where_the_flags_are_set() -> None:
    times = np.arange(0, 6, dtype=np.int64) * 10
    assert spans_of(times, np.array([True, True, False, False, True, True])) == ((0, 20), (40, 60))
    assert spans_of(times, np.zeros(6, np.bool_)) == ()
    assert spans_of(times[:0], np.zeros(0, np.bool_)) == ()


def test_processes_do_not_change_the_outcome_of_a_chunk() -> None:
    fleet = replace(make_fleet(5, 3, 1), end=START + 2 * HOUR)
    rules = [load_rule_files(list(PACKS))]
    assert judge_chunk(fleet, rules, None) == judge_chunk(fleet, rules, None)


def test_speeds_are_measured_of_every_condition_on_what_they_are_said_to_see() -> None:
    rows = measure_speed(2_000, 200, 1)
    assert {"limit", "state", *DERIVED} - {row.condition.replace(" ", "_") for row in rows} == {
        "reheating",
        "out_of_hours",
    }  # the first is as cooling, the second needs a site's hours
    assert all(row.backtest > 0 and row.scalar > 0 and row.ratio > 0 for row in rows)
    assert "≥ 5 million" in speed_table(rows)
    assert set(speed_rows(2_000, 0.5).value) == {0.0, 1.0}
    assert 2.0 < speed_rows(100, 4.0).value.min() < speed_rows(100, 4.0).value.max() < 6.0


def test_the_command_prints_json_and_refuses_what_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    figures = Figures({}, 0, 0.0, None, None, None, 0)

    def stand_in(seed: int, assets: int, days: int, rules: Any, **options: Any) -> Outcome:
        asked.update(seed=seed, assets=assets, days=days, rules=rules, **options)
        options["progress"](1, 1)
        return Outcome(seed, assets, days, 0, figures, figures, (), ())

    monkeypatch.setattr("caretaker.alarmbench.run.measure", stand_in)
    runner = CliRunner()
    done = runner.invoke(build(), ["alarmbench", "--assets", "9", "--days", "2", "--format", "json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["faults"] == {}
    assert (asked["seed"], asked["assets"], asked["days"], tuple(asked["rules"])) == (REPORTING_SEED, 9, 2, PACKS)
    wrong = runner.invoke(build(), ["alarmbench", "--format", "xml"])
    assert isinstance(wrong.exception, CaretakerError)


def test_a_mistake_in_a_rule_file_is_said_before_anything_is_simulated(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("rules: [{id: x}]\n")
    with pytest.raises(InputError):
        measure(1, 200, 30, [str(file)])


def test_the_adviser_is_told_nothing_later_than_the_alarm_and_names_a_broken_compressor() -> None:
    fleet = make_fleet(3, 3, 2, per_kind=0)
    asset = "c01-fridge-1"
    broken = Fault("f", FaultKind.COMPRESSOR_FAILURE, asset, START + 24 * HOUR, START + 30 * HOUR)
    fleet = replace(fleet, faults=(broken,))
    recording = record(fleet.catalogue, 3, fleet.start, START + 27 * HOUR, fleet.faults)
    points = [each for one in fleet.catalogue.assets for each in readings_of(recording, one, (), CLEAN)]
    truth = truth_of(fleet, recording)
    at = START + 25 * HOUR + 30 * MINUTE
    alarm = Raised("warm", f"{asset}/temperature", at, at)
    said = advise(fleet.catalogue, points, truth.faults, {"f": alarm})
    assert said["f"].cause == CAUSE_OF[FaultKind.COMPRESSOR_FAILURE]
    for each in points:
        each.value[each.received > at] = 85.0
    assert advise(fleet.catalogue, points, truth.faults, {"f": alarm}) == said
    assert advise(fleet.catalogue, points, truth.faults, {}) == {}
    board = replace(alarm, point="c01-board/voltage")
    assert set(advise(fleet.catalogue, points, truth.faults, {"f": board})) == {"f"}


def test_rules_that_several_sets_share_are_run_once_and_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = make_fleet(3, 3, 1, per_kind=0)
    recording = record(fleet.catalogue, 3, fleet.start, fleet.start + 2 * HOUR, ())
    points = [each for one in fleet.catalogue.assets for each in readings_of(recording, one, (), CLEAN)]
    for each in points:
        each.value[60:] = 20.0  # too warm for everything
    sets = [load_rule_files([str(PLAIN)]), RuleSource("plain", (str(PLAIN),), 2.0).load()]
    asked: list[set[str]] = []

    def counted(rules: RuleSet, *rest: Any) -> Any:
        asked.append(set(rules.rules))
        return backtest(rules, *rest)

    monkeypatch.setattr("caretaker.alarmbench.judging.backtest", counted)
    raised = raised_by_each(sets, rows_of(points), fleet.catalogue, fleet.start + 2 * HOUR)
    assert asked[0] == set(sets[0].rules)
    assert "plain-silent" not in asked[1]
    alone = [
        raised_by(backtest(each, rows_of(points), fleet.catalogue, fleet.start + 2 * HOUR).transitions) for each in sets
    ]
    assert [sorted(map(str, each)) for each in raised] == [sorted(map(str, each)) for each in alone]
    assert all(raised)
