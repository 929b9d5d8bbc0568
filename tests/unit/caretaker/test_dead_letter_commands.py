"""`caretaker dead-letters` and `… replay`: what is chosen, what can be replayed, what is said."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from caretaker.cli import build
from caretaker.commands.dead_letters import replayable
from domain.errors import CaretakerError
from domain.reasons import DeadReason
from domain.records import Commit, DeadLetter
from store.operational.store import OperationalStore

NOW = 1_772_000_000_000
READINGS = "caretaker/1/school/agents/a/readings"


def letter(topic: str, reason: DeadReason, site: str = "school") -> DeadLetter:
    return DeadLetter(site, NOW, topic, b"[]", reason, "a detail")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with four dead letters."""
    monkeypatch.setenv("CARETAKER_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    store = OperationalStore(f"sqlite:///{tmp_path}/operational.sqlite")
    epoch = store.acquire("school", "ingest", NOW, 15_000)
    assert epoch is not None
    letters = (
        letter(READINGS, DeadReason.BAD_UNIT),
        letter(READINGS, DeadReason.NOT_OWNER),
        letter("caretaker/1/school/agents/a/birth", DeadReason.BAD_MESSAGE),
        letter(READINGS.replace("school", "annex"), DeadReason.UNKNOWN_SITE, ""),
    )
    store.commit(Commit("school", "ingest", epoch, NOW, dead_letters=letters))
    store.close()
    return tmp_path


def run(*words: str) -> str:
    result = CliRunner().invoke(build(), ["dead-letters", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def asked(data: Path, site: str) -> list[int]:
    store = OperationalStore(f"sqlite:///{data}/operational.sqlite")
    try:
        return [one.id for one in store.replay_requests(site, 10)]
    finally:
        store.close()


def test_the_list_shows_the_numbers_that_replay_takes(data: Path) -> None:
    output = run("--site", "school")
    assert [line.split()[0] for line in output.splitlines() if not line.startswith(" ")] == ["3", "2", "1"]


def test_letters_are_chosen_by_number_and_asked_for_once(data: Path) -> None:
    assert run("replay", "--id", "1", "--id", "2").startswith("2 dead letters")
    assert asked(data, "school") == [1, 2]
    again = run("replay", "--id", "1")
    assert again.startswith("0 dead letters")
    assert "1 were replayed before, or wait for it" in again


def test_letters_are_chosen_by_site_and_reason(data: Path) -> None:
    run("replay", "--site", "school", "--reason", "bad_unit")
    assert asked(data, "school") == [1]
    output = run("replay", "--site", "school")
    assert output.startswith("1 dead letters")
    assert "1 cannot be replayed" in output


def test_letters_from_before_a_site_was_applied_belong_to_the_site_of_their_topic(data: Path) -> None:
    run("replay", "--site", "annex")
    assert asked(data, "annex") == [4]


def test_a_number_that_is_not_there_is_said_and_no_choice_is_refused(data: Path) -> None:
    assert "1 are not there (any more)" in run("replay", "--id", "99")
    with pytest.raises(CaretakerError, match="nothing is chosen"):
        run("replay")
    with pytest.raises(CaretakerError, match="nothing is chosen"):
        run("replay", "--reason", "bad_unit")


@pytest.mark.parametrize(
    ("topic", "reason", "able"),
    [
        (READINGS, DeadReason.FUTURE_TIME, True),
        (f"{READINGS}/b1/7", DeadReason.NOT_JSON, True),
        (READINGS, DeadReason.TOO_LARGE, False),
        (f"{READINGS}/one/two/three", DeadReason.BAD_TOPIC, False),
        ("", DeadReason.BAD_TOPIC, False),
    ],
)
def test_only_whole_messages_of_readings_can_be_replayed(topic: str, reason: DeadReason, able: bool) -> None:
    assert replayable(letter(topic, reason)) is able
