"""What doctor says of the troubles that ingest tells of itself."""

import json

import pytest

from caretaker.doctor import _troubles
from domain.records import ProcessRow

NOW = 1_772_000_000_000


def said(**info: object) -> list[str]:
    return [finding.what for finding in _troubles(ProcessRow("ingest", 1, NOW, NOW, json.dumps(info)))]


def test_a_process_without_trouble_says_nothing() -> None:
    assert said() == []
    assert said(journal_full=[], disk_full=[], wrong_clocks={}, unjudged=0) == []


@pytest.mark.parametrize("what", ["journal_full", "disk_full"])
def test_a_site_that_takes_nothing_is_wrong(what: str) -> None:
    (text,) = said(**{what: ["school"]})
    assert text.startswith("school: ")
    assert "agents hold" in text


def test_a_wrong_clock_names_its_agent_and_by_how_much() -> None:
    clocks = {"school": {"canteen": 8 * 3_600_000, "cellar": -120_500}}
    assert said(wrong_clocks=clocks) == [
        "school: the clock of agent canteen is 8h ahead",
        "school: the clock of agent cellar is 2min behind",
    ]


def test_readings_that_were_not_judged_are_said() -> None:
    assert said(unjudged=3) == ["ingest: 3 packs were stored without being judged"]
