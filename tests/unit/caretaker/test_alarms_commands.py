"""`caretaker alarms`: what is listed, what is done, and what is refused in words."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from caretaker.cli import build
from caretaker.process import now_ms
from domain.alarms import AlarmEvent, AlarmKey, EventKind, FoodFate, Nuisance, Priority, Reason, Remedy
from domain.errors import CaretakerError
from domain.records import Commit, TransitionFilter
from store.operational.store import OperationalStore

WARM = ("school", "warm", "fridge-1/temperature")
SITE = "site: {id: school}\nareas: []\nassets: []\n"
RULES = """\
rules:
  - {id: warm, applies_to: {metric: temperature}, condition: {above: 8.0}, priority: high}
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one alarm that nobody has answered."""
    monkeypatch.setenv("CARETAKER_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    now = now_ms()
    store = OperationalStore(f"sqlite:///{tmp_path}/operational.sqlite")
    store.apply_site("school", (("site.yaml", SITE),), "test", now)
    store.apply_rules("school", (("rules.yaml", RULES),), "test", now)
    assert store.acquire("school", "ingest", now, 15_000) == 1
    raised = AlarmEvent(EventKind.RAISE, AlarmKey(*WARM[1:]), Reason.ABOVE_LIMIT, now, now, priority=Priority.HIGH)
    store.commit(Commit("school", "ingest", 1, now, events=(raised,)))
    store.close()
    return tmp_path


def run(*words: str) -> str:
    result = CliRunner().invoke(build(), ["alarms", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_an_alarm_is_answered_from_the_terminal(data: Path) -> None:
    assert "unacknowledged" in run("list")
    assert "silence: warm of fridge-1/temperature" in run("silence", *WARM, "--by", "Li Lei")
    assert "-> acknowledged" in run("ack", *WARM, "--by", "Li Lei", "--nuisance", "loading")
    run("confirm", *WARM, "--by", "Li Lei", "--remedy", "door_closed", "--food", "kept", "--note", "4 °C")
    run("assign", *WARM, "--by", "Li Lei", "--to", "maintenance")
    run("comment", *WARM, "--by", "Li Lei", "--note", "the seal is worn")
    store = OperationalStore(f"sqlite:///{data}/operational.sqlite")
    log = store.transitions(TransitionFilter(), 9, newest_first=False)
    assert [one.event for one in log] == ["raise", "silence", "acknowledge", "confirm", "assign", "comment"]
    assert (log[2].nuisance, log[3].remedy, log[3].food) == (Nuisance.LOADING, Remedy.DOOR_CLOSED, FoodFate.KEPT)
    assert {one.by for one in log[1:]} == {"Li Lei"}
    store.close()


def test_the_shelf_is_listed_bounded_and_emptied(data: Path) -> None:
    said = ("--by", "Li Lei", "--why", "repair")
    assert "shelve: warm" in run("shelve", *WARM, *said, "--for", "2h")
    assert "shelved until" in run("list", "--overlay", "shelved")
    assert "by Li Lei: repair" in run("list")
    run("unshelve", *WARM, "--by", "Li Lei")
    assert run("list", "--overlay", "shelved") == "0 alarms.\n"
    with pytest.raises(CaretakerError, match="at most 1d"):
        run("shelve", *WARM, *said, "--for", "25h")
    with pytest.raises(CaretakerError, match="--for"):
        run("shelve", *WARM, *said, "--for", "soon")


def test_what_is_over_is_listed_only_when_asked_for(data: Path) -> None:
    assert run("list", "--site", "annex") == "0 alarms.\n"
    assert run("list", "--all", "--limit", "1").endswith("1 alarms.\n")


def test_what_cannot_be_is_refused_in_words(data: Path) -> None:
    with pytest.raises(CaretakerError, match="reset is not possible"):
        run("reset", *WARM, "--by", "Li Lei")
    with pytest.raises(CaretakerError, match="never raised"):
        run("ack", "school", "cold", "fridge-1/temperature", "--by", "Li Lei")
    with pytest.raises(CaretakerError, match="--by is empty"):
        run("ack", *WARM, "--by", " ")
    with pytest.raises(CaretakerError, match="no site"):
        run("ack", "annex", *WARM[1:], "--by", "Li Lei")
