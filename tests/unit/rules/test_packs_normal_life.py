"""The packs against simulated life: an ordinary school week raises nothing, and what breaks is found."""

from pathlib import Path

import pytest

from domain.alarms import Transition
from domain.catalogue_file import load_catalogue
from domain.times import DAY, MINUTE
from rules.backtest import backtest
from rules.loading import load_documents
from rules.packs import load_pack_text, pack_names
from rules.readings_csv import ReadingRows, read_readings
from simulators.scenario import load_scenario
from simulators.simulate import Plan, simulate

ROOT = Path(__file__).parents[3]
SITE = load_catalogue((ROOT / "examples/school/site.yaml").read_text(encoding="utf-8"), "site.yaml")
ALL = load_documents([(name, load_pack_text(name)) for name in pack_names()])

FAULTS = """\
faults:
  - {id: compressor, kind: compressor_failure, target: fridge-1, start: 12h, duration: 8h}
  - {id: boiler, kind: boiler_fault, target: boiler-1, start: 15h, duration: 30min}
  - {id: pump, kind: pump_fault, target: pump-2, start: 16h, duration: 10min}
  - {id: endless, kind: endless_defrost, target: freezer-2, start: 17h, duration: 4h}
  - {id: silent, kind: drop_out, target: fridge-3/temperature, start: 18h, duration: 2h}
"""


def lived(folder: Path, scenario: str, days: float, seed: int) -> ReadingRows:
    what_happens = load_scenario(scenario, "scenario.yaml", SITE)
    end = what_happens.start + round(days * DAY)
    written = simulate(Plan(SITE, what_happens, seed, end), folder)
    return read_readings([written.readings.read_bytes()], "readings.csv")


@pytest.mark.parametrize("seed", [1, 2])
def test_an_ordinary_stretch_of_a_school_week_raises_nothing(tmp_path: Path, seed: int) -> None:
    """With one reading in twenty missing, as in real data; every pack at once."""
    rows = lived(tmp_path, "missing: 0.06\n", 2, seed)
    assert len(rows) > 100_000
    assert backtest(ALL, rows, SITE).transitions == ()


def test_what_breaks_is_found_by_the_rule_that_is_meant(tmp_path: Path) -> None:
    rows = lived(tmp_path, FAULTS, 1.2, 5)
    rules = load_documents([(name, load_pack_text(name)) for name in ("cn-canteen", "facility-basic")])
    first: dict[tuple[str, str], Transition] = {}
    for one in backtest(rules, rows, SITE).transitions:
        first.setdefault((one.key.rule, one.key.point), one)
    assert set(first) == {
        ("cold-storage-high", "fridge-1/temperature"),
        ("cold-product-high", "fridge-1/product_temperature"),
        ("boiler-fault", "boiler-1/status"),
        ("pump-fault", "pump-2/status"),
        ("freezer-high", "freezer-2/temperature"),
        ("freezer-defrost-endless", "freezer-2/temperature"),
        ("cold-storage-no-data", "fridge-3/temperature"),
    }
    start = load_scenario(FAULTS, "scenario.yaml", SITE).start
    minutes = {key[0]: (one.at - start) / MINUTE for key, one in first.items()}
    assert minutes["boiler-fault"] == 15 * 60, "without delay"
    assert minutes["pump-fault"] == 16 * 60
    assert 18 * 60 + 40 < minutes["cold-storage-no-data"] < 18 * 60 + 46
    assert minutes["freezer-defrost-endless"] < minutes["freezer-high"]
    assert minutes["cold-storage-high"] < minutes["cold-product-high"], "food follows the air"
