"""`caretaker coverage`: how complete the data is, as a table, as JSON and as CSV for the inspector."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.coverage import HEADER
from caretaker.cli import build
from domain.batch import batch_of
from domain.readings import Reading
from domain.times import HOUR, MINUTE, parse_time
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore

ROOT = Path(__file__).parents[3]
SITE = ROOT / "examples" / "school" / "site.yaml"
AIR = "fridge-1/temperature"
TODAY = parse_time("2026-03-01T00:00+08:00")
NOW = TODAY + 2 * HOUR


def run(*words: str) -> Result:
    return CliRunner().invoke(build(), words)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file of an installation where it is 2 o'clock: ten minutes came live, the next hour an hour later."""
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "c.toml").write_text(f'data_dir = "{data}"\n')
    monkeypatch.setattr("caretaker.process.now_ms", lambda: NOW)
    operational = OperationalStore(f"sqlite:///{data / 'operational.sqlite'}")
    operational.apply_site("school", (("site.yaml", SITE.read_text(encoding="utf-8")),), "tester", 1)
    operational.close()
    series = SqliteSeriesStore(data / "series.sqlite")
    for time in range(TODAY, TODAY + 10 * MINUTE, MINUTE):
        series.append(batch_of("school", time + 300, [Reading(AIR, time, 4.0)]))
    late = [Reading(AIR, time, 4.0) for time in range(TODAY + 10 * MINUTE, TODAY + 70 * MINUTE, MINUTE)]
    series.append(batch_of("school", NOW - MINUTE, late))
    series.close()
    return tmp_path / "c.toml"


def test_the_table_says_minutes(config: Path) -> None:
    result = run("coverage", "school", "--days", "1", "--config", str(config))
    assert result.exit_code == 0, result.output
    lines = {line[:32].strip(): line[32:].split() for line in result.stdout.splitlines()}
    assert lines["point"][:4] == ["known", "measured", "min", "backfilled"]
    assert lines[AIR] == ["60.0", "%", "10.0", "62.0", "48.0", "0.0", "0.0", "48.0"]
    assert lines["fridge-1/door"] == ["0.0", "%", "0.0", "0.0", "120.0", "0.0", "0.0", "120.0"]


def test_a_line_of_json_for_each_point_of_one_asset(config: Path) -> None:
    result = run(
        "coverage", "school", "--days", "1", "--asset", "fridge-1", "--format", "json", "--config", str(config)
    )
    found = {one["point"]: one for one in map(json.loads, result.stdout.splitlines())}
    assert {name.partition("/")[0] for name in found} == {"fridge-1"}
    assert found[AIR]["total"]["backfilled_ms"] == 62 * MINUTE
    assert found[AIR]["days"][0]["date"] == "2026-03-01"


def test_csv_has_a_row_for_each_point_and_day(config: Path) -> None:
    result = run("coverage", "school", "--days", "2", "--format", "csv", "--config", str(config))
    rows = list(csv.reader(result.stdout.splitlines()))
    assert tuple(rows[0]) == HEADER
    mine = [row for row in rows if row[0] == AIR]
    assert mine == [
        [AIR, "2026-02-28", "1440.0", "0.0", "0.0", "1440.0", "0.0", "0.0", "1440.0", "0.0"],
        [AIR, "2026-03-01", "120.0", "10.0", "62.0", "48.0", "0.0", "0.0", "48.0", "60.0"],
    ]


def test_an_unknown_site_is_said(config: Path) -> None:
    result = run("coverage", "nowhere", "--config", str(config))
    assert result.exit_code != 0
    assert "there is no site 'nowhere'" in str(result.exception)
