"""The fault programme itself: its judge sees every loss, doubling and false alarm; one short fault runs for real."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from domain.batch import Gap, batch_of
from domain.readings import Quality, Reading
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.faults.judge import (
    Fact,
    Verdict,
    account,
    compare_alarms,
    expected_transitions,
    logged_transitions,
    produced_readings,
    stored_readings,
)
from tests.faults.kinds import FAULTS
from tests.faults.plan import SITE, Plan
from tests.faults.report import BEGIN, END, PAGE, Result, as_object, as_table, write_page
from tests.support import needs

ROOT = Path(__file__).parents[2]
T0 = 1_772_352_000_000
POINT = "fridge-0/temperature"


def fact(second: int, value: float | None = 4.0, quality: str = "good", point: str = POINT) -> Fact:
    return Fact(point, T0 + second * 1_000, value, quality)


FACTS = [fact(second, 4.0 + second) for second in range(10)]


def verdict_on(stored: list[Fact], gaps: list[Gap] | None = None, produced: list[Fact] = FACTS) -> Verdict:
    verdict = Verdict()
    account(produced, stored, gaps or [], verdict)
    return verdict


def test_what_is_stored_once_is_good() -> None:
    verdict = verdict_on(FACTS)
    assert verdict.good
    assert (verdict.produced, verdict.stored, verdict.lost, verdict.doubled) == (10, 10, 0, 0)


def test_a_missing_reading_is_lost() -> None:
    verdict = verdict_on(FACTS[:4] + FACTS[5:])
    assert (verdict.lost, verdict.stored) == (1, 9)
    assert not verdict.good
    assert "lost" in verdict.notes[0]


def test_a_missing_reading_inside_a_gap_record_is_told() -> None:
    gap = Gap("box", T0 + 4_000, T0 + 4_000, 1, "outbox_full", (POINT,))
    verdict = verdict_on(FACTS[:4] + FACTS[5:], [gap])
    assert (verdict.lost, verdict.in_gap_records) == (0, 1)
    assert verdict.good


@pytest.mark.parametrize(
    "gap",
    [
        Gap("box", T0 + 4_001, T0 + 9_000, 1, "outbox_full"),
        Gap("box", T0, T0 + 3_999, 1, "outbox_full"),
        Gap("box", T0, T0 + 9_000, 1, "outbox_full", ("fridge-1/temperature",)),
    ],
)
def test_a_gap_of_another_time_or_point_excuses_nothing(gap: Gap) -> None:
    assert verdict_on(FACTS[:4] + FACTS[5:], [gap]).lost == 1


def test_another_value_at_its_time_is_a_loss_and_a_doubling() -> None:
    verdict = verdict_on([replace_value(FACTS[0]), *FACTS[1:]])
    assert (verdict.lost, verdict.doubled) == (1, 1)


def replace_value(one: Fact) -> Fact:
    return one._replace(value=99.0)


def test_a_reading_stored_twice_is_doubled() -> None:
    assert verdict_on([*FACTS, FACTS[3]]).doubled == 1
    moved_copy = FACTS[3]._replace(time=FACTS[3].time + 1, quality="uncertain")
    assert verdict_on([*FACTS, moved_copy]).doubled == 1


def test_a_reading_that_had_to_leave_its_millisecond_is_neither_lost_nor_doubled() -> None:
    other = FACTS[3]._replace(value=9.5)
    moved = other._replace(time=other.time + 1, quality="uncertain")
    verdict = verdict_on([*FACTS, moved], produced=[*FACTS, other])
    assert verdict.good
    assert verdict.stored == 11


def test_readings_without_a_value_are_compared_too(tmp_path: Path) -> None:
    store = SqliteSeriesStore(tmp_path / "series.sqlite")
    readings = [
        Reading(POINT, T0, 4.0),
        Reading(POINT, T0 + 1, float("nan"), Quality.BAD, "crc error"),
    ]
    store.append(batch_of(SITE, T0, readings))
    store.add_gaps(SITE, [Gap("box", T0, T0, 1, "outbox_full")])
    store.close()
    found, gaps = stored_readings(tmp_path / "series.sqlite", [POINT])
    assert found == [Fact(POINT, T0, 4.0, "good"), Fact(POINT, T0 + 1, None, "bad")]
    assert len(gaps) == 1


def test_the_log_of_what_was_produced_is_read_past_torn_lines(tmp_path: Path) -> None:
    log = tmp_path / "produced.jsonl"
    whole = json.dumps({"time": T0, "point": POINT, "value": 4.0, "quality": "good"})
    log.write_text(f"{whole}\n{whole[:20]}{whole.replace('4.0', '5.0')}\n{whole}\n{whole[:30]}")
    assert produced_readings(log) == [fact(0, 4.0), fact(0, 5.0)]


def test_missing_and_additional_transitions_are_counted() -> None:
    plan = Plan(7, T0)
    readings = [
        Fact(point, at, None if value == "crc error" else float(value), "bad" if value == "crc error" else "good")
        for at, point, value in plan.rows(0, 600)
    ]
    expected = expected_transitions(plan.rules_file(), plan.site_file(), readings)
    assert len({one.rule for one in expected}) == 3, "the plan makes every rule speak"
    for said, differences in (
        (expected, 0),
        (expected[1:], 1),
        ([*expected, expected[0]], 1),
        ([expected[0]._replace(at=expected[0].at + 1), *expected[1:]], 2),
    ):
        verdict = Verdict()
        compare_alarms(expected, said, verdict)
        assert verdict.alarms_differ == differences
        assert verdict.good == (differences == 0)


def test_an_empty_log_has_no_transitions(tmp_path: Path) -> None:
    OperationalStore(f"sqlite:///{tmp_path}/operational.sqlite").close()
    assert logged_transitions(tmp_path / "operational.sqlite") == []


def test_the_same_seed_makes_the_same_readings() -> None:
    assert list(Plan(7, T0).rows(0, 300)) == list(Plan(7, T0).rows(0, 300))
    assert list(Plan(7, T0).rows(0, 300)) != list(Plan(8, T0).rows(0, 300))


def test_the_report_sums_up_and_names_what_was_skipped() -> None:
    good, bad = Verdict(kills=3, produced=10, stored=10), Verdict(kills=1, produced=5, stored=4, lost=1)
    results = [Result(FAULTS[0], 3, good, 1.0), Result(FAULTS[1], 2, bad, 1.0)]
    found = as_object(results)
    totals = {name: found[name] for name in ("rounds", "kills", "produced", "stored", "lost", "doubled")}
    assert totals == {"rounds": 5, "kills": 4, "produced": 15, "stored": 14, "lost": 1, "doubled": 0}
    assert [result.good for result in results] == [True, False]
    assert "not permitted" in as_table([replace(results[0], skipped="not permitted")])


def test_the_full_programme_kills_often_enough_and_has_a_page() -> None:
    killing = [fault for fault in FAULTS if fault.name.startswith("kill-")]
    assert sum(fault.full for fault in killing) >= 200
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    page = PAGE.read_text(encoding="utf-8")
    assert page.index(BEGIN) < page.index(END)


def programme(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.faults", *words], cwd=ROOT, capture_output=True, text=True, timeout=110,
        check=False,
    )  # fmt: skip


def test_an_unknown_fault_is_refused_by_name() -> None:
    refused = programme("--only", "kill-sysop")
    assert refused.returncode == 2
    assert "kill-sysop" in refused.stderr


@pytest.mark.integration
def test_one_fault_for_real() -> None:
    needs("mosquitto", "mosquitto")
    done = programme("--quick", "--only", "kill-any", "--rounds", "1", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] >= 1
    assert found["produced"] == found["stored"] > 0
    assert (found["lost"], found["doubled"], found["alarms_differ"]) == (0, 0, 0)


def test_a_run_of_some_faults_leaves_the_rows_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "faults.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    monkeypatch.setattr("tests.faults.report.PAGE", page)
    write_page([Result(FAULTS[0], 3, Verdict(kills=3), 1.0), Result(FAULTS[1], 2, Verdict(kills=2, lost=1), 1.0)], 7)
    write_page([Result(FAULTS[1], 2, Verdict(kills=4), 1.0)], 8)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert f"| {FAULTS[0].what} | 3 | 3 | 0 |" in text
    assert f"| {FAULTS[1].what} | 2 | 4 | 0 |" in text
    assert "| **all** | 5 | 7 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in text
    assert "seed 7" in text
    assert "seed 8" in text
