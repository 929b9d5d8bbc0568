"""The demonstration's parts: its folder, its configuration files, its words. The whole is an acceptance test."""

import json
import os
import tomllib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from caretaker.demo import (
    AGENTS,
    HOLD_BACK,
    LEAD,
    MARKER,
    Demo,
    DemoOptions,
    describe,
    fresh_folder,
    history_span,
    toml_text,
)
from caretaker.settings import load_settings
from caretaker.wiring import open_operational
from domain.alarms import AlarmKey, AlarmState, EventKind, Priority, Reason, Transition
from domain.errors import CaretakerError
from domain.times import DAY, MINUTE, iso
from edge.config import load_config

SITE_FILE = Path(__file__).parents[3] / "examples" / "school" / "site.yaml"
NOW = 1_790_000_012_345


def options(folder: Path, **changes: object) -> DemoOptions:
    made = DemoOptions(folder, SITE_FILE, 7, 1, "", 8420, 18830, None, False)
    return replace(made, **changes)  # type: ignore[arg-type]  # each test's own changes


def demo_of(chosen: DemoOptions) -> tuple[Demo, list[str]]:
    said: list[str] = []
    return Demo(chosen, said.append, lambda: False, NOW), said


@pytest.mark.parametrize("days", [1, 7, 60])
def test_the_history_is_whole_minutes_and_ends_before_now(days: int) -> None:
    start, hold_at = history_span(NOW, days)
    assert start % MINUTE == hold_at % MINUTE == 0
    assert 0 <= NOW - days * DAY - start < MINUTE
    assert 0 <= NOW - HOLD_BACK - hold_at < MINUTE
    assert hold_at - start >= days * DAY - HOLD_BACK - MINUTE


def test_a_folder_is_made_with_a_mark_and_cleared_the_next_time(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "demo"
    fresh_folder(folder)
    assert [path.name for path in folder.iterdir()] == [MARKER]
    (folder / "data").mkdir()
    (folder / "data" / "old").write_text("from the last time")
    fresh_folder(folder)
    assert [path.name for path in folder.iterdir()] == [MARKER]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    fresh_folder(tmp_path)
    assert (tmp_path / MARKER).exists()


def test_a_folder_that_no_demonstration_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CaretakerError, match="no demonstration made") as caught:
        fresh_folder(tmp_path)
    assert "--data-dir" in caught.value.remedy
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_demonstration_that_still_runs_is_not_cleared_away(tmp_path: Path) -> None:
    fresh_folder(tmp_path / "demo")
    run = tmp_path / "demo" / "data" / "run"
    run.mkdir(parents=True)
    (run / "supervisor.json").write_text(json.dumps({"pid": os.getppid()}))
    with pytest.raises(CaretakerError, match=f"process {os.getppid()}"):
        fresh_folder(tmp_path / "demo")
    assert run.exists()


def test_a_path_that_is_no_folder_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CaretakerError, match="cannot be used: Not a directory"):
            fresh_folder(path)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_link_to_an_earlier_demonstration_is_not_followed(tmp_path: Path) -> None:
    fresh_folder(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(CaretakerError, match="cannot be used"):
        fresh_folder(tmp_path / "link")
    assert (tmp_path / "real" / MARKER).exists()


@pytest.mark.parametrize(
    "text", ["plain", "with space", 'a "quote"', "back\\slash", "学校", "😀", "tab\tline\nend", "\x7f", "", "\x01'#[]"]
)
def test_any_text_becomes_a_toml_string_that_reads_back(text: str) -> None:
    assert tomllib.loads(f"a = {toml_text(text)}") == {"a": text}


def test_a_path_that_is_no_text_is_refused_in_words() -> None:
    with pytest.raises(CaretakerError, match="not UTF-8"):
        toml_text(os.fsdecode(b"/tmp/\xff"))


@pytest.mark.parametrize("name", ["demo", "my demo", 'the "demo"', "it's", "演示 😀", "back\\slash", "a#b=[c]"])
def test_the_files_it_writes_are_accepted_wherever_the_folder_lies(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    demo, _ = demo_of(options(folder, record=True, web_port=9001, broker_port=9002, seed=5))
    settings, config, catalogue = demo.prepare()
    assert settings == load_settings(config)
    assert (settings.web.port, settings.broker_url) == (9001, "mqtt://127.0.0.1:9002")
    assert settings.data_dir == folder / "data"
    start, hold_at = history_span(NOW, 7)
    for agent in AGENTS:
        read = load_config(folder / f"{agent}.toml")
        assert (read.site, read.agent, read.broker.port) == (catalogue.site, agent, 9002)
        assert read.data_dir == folder / f"agent-{agent}"
        assert read.produced_log == folder / f"produced-{agent}.jsonl"
        assert read.trust_clock
        source = tomllib.loads((folder / f"{agent}.toml").read_text())["source"][0]
        assert (source["kind"], source["seed"], source["agent"]) == ("simulated", 5, agent)
        assert (source["start"], source["hold_at"]) == (iso(start), iso(hold_at))
        assert (source["site"], source["control"]) == (str(SITE_FILE), str(folder / "control.json"))


def test_another_broker_is_for_everybody_and_recording_is_a_choice(tmp_path: Path) -> None:
    demo, _ = demo_of(options(tmp_path / "demo", broker="mqtt://127.0.0.1:1999"))
    settings, _, _ = demo.prepare()
    assert settings.broker_url == "mqtt://127.0.0.1:1999"
    for agent in AGENTS:
        read = load_config(tmp_path / "demo" / f"{agent}.toml")
        assert (read.broker.host, read.broker.port, read.produced_log) == ("127.0.0.1", 1999, None)


def test_a_broker_that_is_none_is_refused(tmp_path: Path) -> None:
    demo, _ = demo_of(options(tmp_path / "demo", broker="http://x"))
    with pytest.raises(CaretakerError, match=r"broker\.url"):
        demo.prepare()


def test_site_and_rules_are_applied_and_the_history_asks_nothing(tmp_path: Path) -> None:
    demo, _ = demo_of(options(tmp_path / "demo"))
    settings, _, catalogue = demo.prepare()
    with closing(open_operational(settings)) as store:
        rules = store.rules_revision(catalogue.site)
        assert store.sites() == [catalogue.site]
        assert store.commissioned_at(catalogue.site) is None
    assert rules is not None
    assert [name for name, _ in rules.documents] == ["pack:cn-canteen", "pack:facility-basic"]
    for agent in AGENTS:
        assert any(point.agent == agent for point in catalogue.points())


def test_going_live_fixes_the_moment_and_places_the_faults(tmp_path: Path) -> None:
    demo, said = demo_of(options(tmp_path / "demo"))
    settings, _, catalogue = demo.prepare()
    with closing(open_operational(settings)) as store:
        live_at = demo._go_live(store, catalogue.site)
        assert store.commissioned_at(catalogue.site) == live_at
    control = json.loads((tmp_path / "demo" / "control.json").read_text())
    fridge, boiler = control["faults"]
    assert control["live_at"] == live_at > NOW
    assert (fridge["target"], fridge["crosses"]["above"]) == ("fridge-1", 8.0)
    assert fridge["crosses"]["at"] + 30 * MINUTE - live_at == 30_000
    assert 0 < boiler["start"] - live_at < MINUTE
    assert f"Live in {LEAD // 1000} s" in said[0]
    assert not list((tmp_path / "demo").glob("*.new"))


def test_an_early_end_is_no_failure_when_the_user_asked_for_it(tmp_path: Path) -> None:
    asked, said = demo_of(options(tmp_path))
    asked.stopped = lambda: True
    assert (asked._ended_early(tmp_path), said) == (0, ["Stopped."])
    asked.stopped = lambda: False
    with pytest.raises(CaretakerError, match="did not answer"):
        asked._ended_early(tmp_path)


@pytest.mark.parametrize(("value", "words"), [(8.25, ", value 8.2)"), (None, "(above_limit)")])
def test_a_transition_is_one_line(value: float | None, words: str) -> None:
    row = Transition(
        "school", AlarmKey("warm", "fridge-1/temperature"), EventKind.RAISE, AlarmState.NORMAL,
        AlarmState.UNACKNOWLEDGED, Reason.ABOVE_LIMIT, Priority.HIGH, 0, value, NOW + 30_400, NOW + 31_000, False,
    )  # fmt: skip
    line = describe(row, NOW)
    assert line.startswith("  +  30 s  warm of fridge-1/temperature: normal -> unacknowledged (above_limit")
    assert line.endswith(words)
    assert describe(replace(row, at=NOW - 90_000), NOW).startswith("  + -90 s")
