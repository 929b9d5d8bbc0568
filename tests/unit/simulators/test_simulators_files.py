"""`readings.csv` and `truth.json`: repeatable, complete or absent, and what the documents say of them."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from domain.catalogue import Catalogue
from domain.times import DAY, HOUR, MINUTE, iso, parse_time
from simulators.scenario import DEFAULT_START, Scenario, load_scenario
from simulators.simulate import HEADER, Plan, simulate

Run = Callable[..., tuple[list[dict[str, str]], dict[str, Any]]]
EXAMPLE = Path(__file__).parents[3] / "examples" / "school"


def written(site: Catalogue, folder: Path, seed: int = 1, days: float = 0.2, scenario: Scenario | None = None) -> Path:
    story = scenario or Scenario()
    simulate(Plan(site, story, seed, story.start + round(days * DAY)), folder)
    return folder


def test_the_same_arguments_give_the_same_bytes_and_another_seed_others(school: Catalogue, tmp_path: Path) -> None:
    path = EXAMPLE / "scenarios" / "all-faults.yaml"
    story = load_scenario(path.read_text(encoding="utf-8"), str(path), school)
    first, again, other = (
        written(school, tmp_path / name, seed, 0.6, story) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    for name in ("readings.csv", "truth.json"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
        assert (first / name).read_bytes() != (other / name).read_bytes()


def test_every_point_has_a_row_every_minute(run: Run, small: Catalogue) -> None:
    rows, _ = run(days=0.25)
    for point in small.points():
        times = [parse_time(row["time"]) for row in rows if row["point"] == point.name]
        assert times == list(range(DEFAULT_START, DEFAULT_START + 6 * HOUR, MINUTE)), point.name


def test_nothing_simulated_is_a_header_and_an_empty_truth(run: Run, tmp_path: Path, small: Catalogue) -> None:
    rows, truth = run(days=0.0)
    assert rows == []
    assert truth["excursions"] == []
    assert truth["start"] == truth["end"]
    assert (written(small, tmp_path / "none", days=0.0) / "readings.csv").read_text() == HEADER


def test_rows_stand_in_order_of_arrival_and_none_arrives_before_it_was_taken(run: Run) -> None:
    rows, _ = run(days=0.25)
    received = [parse_time(row["received"]) for row in rows]
    assert received == sorted(received)
    assert all(parse_time(row["time"]) < at for row, at in zip(rows, received, strict=True))


def test_a_share_of_readings_can_be_missing(run: Run) -> None:
    whole, _ = run(days=0.25)
    rows, _ = run("missing: 0.06\nfaults: []", days=0.25)
    assert 0.04 < 1.0 - len(rows) / len(whole) < 0.08
    kept = {(row["time"], row["point"]): row["value"] for row in whole}
    assert all(kept[(row["time"], row["point"])] == row["value"] for row in rows)


def test_another_interval_is_kept(run: Run) -> None:
    rows, _ = run(days=0.1, interval=15_000)
    times = sorted({parse_time(row["time"]) for row in rows})
    assert {b - a for a, b in pairwise(times)} == {15_000}


def test_samples_of_one_moment_agree_whatever_the_interval(run: Run) -> None:
    fine, _ = run(days=0.1, interval=15_000)
    coarse, _ = run(days=0.1, interval=5 * MINUTE)
    known = {(row["time"], row["point"]): row["value"] for row in fine}
    assert coarse
    assert all(known[(row["time"], row["point"])] == row["value"] for row in coarse)


def test_the_boards_reading_is_the_sum_of_what_hangs_on_it(run: Run, school: Catalogue) -> None:
    rows, _ = run(days=0.5, site=school)
    values: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["point"].endswith("/energy"):
            values.setdefault(row["time"], {})[row["point"]] = float(row["value"])
    used = [
        {name: last[name] - first[name] for name in first}
        for first, last in zip(list(values.values())[:-60:60], list(values.values())[60::60], strict=False)
    ]
    for hour in used:
        assert hour["main-meter/energy"] > hour["north-board/energy"] + hour["south-board/energy"] > 0.0


def test_energy_is_the_integral_of_power(run: Run) -> None:
    rows, _ = run(days=1.0)
    power = [float(row["value"]) for row in rows if row["point"] == "fridge/power"]
    energy = [float(row["value"]) for row in rows if row["point"] == "fridge/energy"]
    assert energy == sorted(energy)
    counted = energy[-1] - energy[0]
    assert counted == pytest.approx(sum(power[1:]) / 60.0 / 1000.0, rel=0.03)


def test_hot_holding_gives_words_while_it_is_not_hot(run: Run, school: Catalogue) -> None:
    rows, truth = run(days=0.6, site=school)
    mine = [row for row in rows if row["point"] == "hot-holding-1/temperature"]
    assert {row["value"] for row in mine if row["quality"] == "bad"} == {"off", "preheating"}
    good = [float(row["value"]) for row in mine if row["quality"] == "good"]
    assert min(good) >= 60.0
    assert len(good) >= 60
    assert not [each for each in truth["excursions"] if each["asset"].startswith("hot")]


def test_a_quiet_day_has_no_fault_and_only_short_excursions(run: Run) -> None:
    _, truth = run()
    assert truth["faults"] == []
    for each in truth["excursions"]:
        assert each["quantity"] == "air"
        assert parse_time(each["end"]) - parse_time(each["start"]) < HOUR


def test_the_truth_says_of_what_it_is_true(run: Run) -> None:
    _, truth = run(days=0.5, seed=3)
    assert list(truth) == ["format", "site", "seed", "start", "end", "limits", "faults", "excursions"]
    assert truth["format"] == 1
    assert (truth["site"], truth["seed"]) == ("small", 3)
    assert (truth["start"], truth["end"]) == (iso(DEFAULT_START), iso(DEFAULT_START + DAY // 2))
    assert truth["limits"]["refrigerator"] == {"above": 8.0}
    assert truth["limits"]["freezer"] == {"above": -12.0}


def test_an_excursion_still_open_at_the_end_has_no_end(run: Run) -> None:
    scenario = "faults: [{kind: endless_defrost, target: freezer, start: 10h, duration: 1d}]"
    _, truth = run(scenario, days=0.6)
    last = [each for each in truth["excursions"] if each["asset"] == "freezer" and each["end"] is None]
    assert {each["quantity"] for each in last} == {"air", "product"}


def test_crossings_lie_between_the_samples_beside_them(run: Run) -> None:
    scenario = "faults: [{kind: compressor_failure, target: fridge, start: 19h, duration: 5h}]"
    rows, truth = run(scenario)
    at = parse_time(truth["faults"][0]["crossings"][0]["at"])
    air = {parse_time(r["time"]): float(r["value"]) for r in rows if r["point"] == "fridge/temperature"}
    before = at // MINUTE * MINUTE
    assert air[before - 2 * MINUTE] <= 8.0 < air[before + 8 * MINUTE]


def test_a_run_that_fails_leaves_what_was_there(small: Catalogue, tmp_path: Path) -> None:
    folder = written(small, tmp_path / "out")
    before = (folder / "readings.csv").read_bytes()

    def give_up(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(Plan(small, Scenario(), 9, DEFAULT_START + DAY), folder, give_up)
    assert (folder / "readings.csv").read_bytes() == before


def test_progress_goes_from_nothing_to_all(small: Catalogue, tmp_path: Path) -> None:
    shares: list[float] = []
    simulate(Plan(small, Scenario(), 1, DEFAULT_START + DAY // 4), tmp_path, shares.append)
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
