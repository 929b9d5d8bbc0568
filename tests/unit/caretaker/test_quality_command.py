"""`caretaker quality` and `caretaker backtest --against`: figures beside their targets, a change in one sentence."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from caretaker.cli import build
from caretaker.process import now_ms
from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.records import Commit
from domain.times import DAY, HOUR, MINUTE
from store.operational.store import OperationalStore

ROOT = Path(__file__).parents[3]
SITE = ROOT / "examples" / "school" / "site.yaml"
RULES = """rules:
  - id: warm
    applies_to: {asset_type: refrigerator, metric: temperature}
    condition: {above: 8}
    on_delay: 30min
    priority: high
    escalate: {to: [canteen_manager], after: [0min]}
"""
KEY = AlarmKey("warm", "fridge-1/temperature")


def run(*words: str) -> Result:
    return CliRunner().invoke(build(), words)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file of an installation where one fridge alarmed twice for five minutes, and once lasts."""
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "c.toml").write_text(f'data_dir = "{data}"\n')
    store = OperationalStore(f"sqlite:///{data / 'operational.sqlite'}")
    store.apply_site("school", (("site.yaml", SITE.read_text(encoding="utf-8")),), "tester", 1)
    store.apply_rules("school", (("warm.yaml", RULES),), "tester", 1)
    now = now_ms()
    epoch = store.acquire("school", "tester", now, HOUR)
    assert epoch is not None
    spans: list[tuple[int, int | None]] = [(now - 5 * HOUR, 5), (now - 4 * HOUR, 5), (now - 2 * DAY, None)]
    for start, lasted in sorted(spans):
        events = [happened(EventKind.RAISE, start)]
        if lasted is None:
            events.append(happened(EventKind.CLEAR, start + DAY + HOUR))
        else:
            events.append(happened(EventKind.CLEAR, start + lasted * MINUTE))
        store.commit(Commit("school", "tester", epoch, start, events=tuple(events)))
    store.close()
    return tmp_path / "c.toml"


def happened(kind: EventKind, at: int) -> AlarmEvent:
    return AlarmEvent(kind, KEY, Reason.ABOVE_LIMIT, at, at, since=at, priority=Priority.HIGH, level=0, value=9.0)


def test_the_figures_stand_beside_their_targets(config: Path) -> None:
    result = run("quality", "school", "--days", "3", "--config", str(config))
    assert result.exit_code == 0, result.output
    lines = {line[:38].strip(): line[38:].split() for line in result.stdout.splitlines()}
    assert lines["alarms told"] == ["3", "3"]
    assert lines["stale (active for more than a day)"] == ["1", "1", "<", "5"]
    assert lines["over before anybody could act"] == ["2", "2"]
    assert lines["share of the 10 worst alarms"] == ["100%", "100%", "<=", "5%"]
    assert "canteen_manager" in result.stdout.splitlines()[1]
    assert "no delay would help" in result.stdout  # nothing is stored on which a change could be tried


def test_programs_get_one_object(config: Path) -> None:
    result = run("quality", "school", "--days", "1", "--suggest", "0", "--format", "json", "--config", str(config))
    found = json.loads(result.stdout)
    assert (found["site"]["annunciated"], found["roles"]["canteen_manager"]["annunciated"]) == (2, 2)
    assert found["site"]["bad_actors"][0]["suggestion"] is None


def test_an_unknown_site_is_a_mistake_with_a_remedy(config: Path) -> None:
    result = run("quality", "nowhere", "--config", str(config))
    assert result.exit_code != 0
    assert "nowhere" in str(result.exception)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    start = 1_772_352_000_000
    rows = [f"{start + minute * MINUTE},fridge-1/temperature,{9 if 10 <= minute <= 44 else 4}" for minute in range(120)]
    (tmp_path / "r.csv").write_text("time,point,value\n" + "\n".join(rows) + "\n")
    plain = (
        "rules:\n"
        "  - {id: warm, applies_to: {metric: temperature}, condition: {above: 8}, on_delay: ON, priority: low}\n"
    )
    (tmp_path / "now.yaml").write_text(plain.replace("ON", "30min"))
    (tmp_path / "later.yaml").write_text(plain.replace("ON", "60min"))
    return tmp_path


def test_a_comparison_begins_with_the_sentence_and_lists_what_is_lost(files: Path) -> None:
    result = run(
        "backtest", "--rules", str(files / "later.yaml"), "--against", str(files / "now.yaml"),
        "--readings", str(files / "r.csv"), "--format", "table",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    first, rule, title, lost = result.stdout.splitlines()
    assert first.endswith("120 readings: the change removes 1 nuisance alarm, hides 0 real excursions")
    assert rule.split() == ["warm", "alarms", "1", "->", "0,", "minutes", "in", "alarm", "5", "->", "0"]
    assert title == "lost (nuisance): 1"
    assert lost.split() == ["2026-03-01T08:40:00.000Z", "2026-03-01T08:45:00.000Z", "warm", "fridge-1/temperature"]


def test_a_comparison_for_programs_is_one_object(files: Path) -> None:
    result = run(
        "backtest", "--rules", str(files / "now.yaml"), "--against", str(files / "later.yaml"),
        "--readings", str(files / "r.csv"),
    )  # fmt: skip
    found = json.loads(result.stdout)
    assert (found["sentence"], len(found["gained"]), found["lost"]) == (
        "removes 0 nuisance alarms, hides 0 real excursions, adds 1 alarm", 1, [],
    )  # fmt: skip
