"""What the tests of the simulators share: the example school, a small site, and how to write and read a run."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.times import DAY, MINUTE
from simulators.scenario import load_scenario
from simulators.simulate import Plan, simulate

EXAMPLE = Path(__file__).parents[3] / "examples" / "school"

SMALL = """
site: {id: small, timezone: Asia/Shanghai}
areas: [{id: kitchen}]
assets:
  - id: board
    type: distribution_board
    area: kitchen
    agent: two
    points: {power: {interval: 60s}, energy: {interval: 60s}, voltage: {}, current: {}}
  - id: fridge
    type: refrigerator
    area: kitchen
    agent: one
    fed_by: board
    points: {temperature: {interval: 60s}, product_temperature: {}, power: {}, energy: {}, door: {}}
  - id: freezer
    type: freezer
    area: kitchen
    agent: one
    fed_by: board
    points: {temperature: {interval: 60s}, product_temperature: {}, power: {}, energy: {}}
  - id: pump
    type: pump
    area: kitchen
    agent: two
    fed_by: board
    points: {status: {states: {off: 0, run: 1, fault: 2}}, power: {}}
"""

Row = dict[str, str]
Run = Callable[..., tuple[list[Row], dict[str, Any]]]


@pytest.fixture(scope="session")
def school() -> Catalogue:
    path = EXAMPLE / "site.yaml"
    return load_catalogue(path.read_text(encoding="utf-8"), str(path))


@pytest.fixture(scope="session")
def small() -> Catalogue:
    return load_catalogue(SMALL, "small.yaml")


@pytest.fixture
def run(small: Catalogue, tmp_path: Path) -> Run:
    """Simulate the small site under a scenario text; the rows of readings.csv and the truth."""

    def simulated(
        scenario: str = "faults: []", days: float = 1.0, seed: int = 1, interval: int = MINUTE, site: Catalogue = small
    ) -> tuple[list[Row], dict[str, Any]]:
        story = load_scenario(scenario, "scenario.yaml", site)
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        written = simulate(Plan(site, story, seed, story.start + round(days * DAY), interval), folder)
        with written.readings.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert written.count == len(rows)
        return rows, json.loads(written.truth.read_text(encoding="utf-8"))

    return simulated
