"""The example school: what the demonstration and the documents promise of it."""

from collections import Counter
from pathlib import Path

import pytest

from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.errors import InputError
from domain.times import MINUTE
from simulators.faults import FaultKind
from simulators.scenario import load_scenario

EXAMPLE = Path(__file__).parents[3] / "examples" / "school"


def test_a_school_with_two_canteens_and_a_plant_room(school: Catalogue) -> None:
    assert len(school.assets) >= 12
    assert len(list(school.points())) >= 30
    assert {area.id for area in school.areas} == {"north-canteen", "south-canteen", "plant-room"}
    types = Counter(asset.type for asset in school.assets)
    for needed in (
        "refrigerator", "freezer", "cold_room", "sample_fridge", "hot_holding", "boiler", "pump", "energy_meter",
        "distribution_board",
    ):  # fmt: skip
        assert types[needed] >= 1, needed


def test_every_title_is_in_both_languages(school: Catalogue) -> None:
    for label in (
        school.label,
        *(area.label for area in school.areas),
        *(asset.label for asset in school.assets),
        *(point.label for point in school.points()),
    ):
        assert label.en
        assert label.zh, label


def test_every_point_has_an_owner_and_an_interval_of_a_minute(school: Catalogue) -> None:
    assert {point.agent for point in school.points()} == {"canteen", "plant"}
    assert {point.interval for point in school.points()} == {MINUTE}


def test_what_is_in_a_cold_unit_is_written_down(school: Catalogue) -> None:
    for asset in school.assets:
        if asset.type in ("refrigerator", "freezer", "cold_room", "sample_fridge"):
            assert asset.content.zh, asset.id


def test_all_electricity_comes_through_the_main_meter(school: Catalogue) -> None:
    for asset in school.assets:
        above = asset
        while above.fed_by is not None:
            above = school.assets_by_id[above.fed_by]
        assert above.id == "main-meter", asset.id


@pytest.mark.parametrize(
    ("feeder", "complaint"),
    [("nowhere", "there is no asset 'nowhere'"), ("fridge", "'fridge' would feed itself"), ("board", None)],
)
def test_a_feeder_must_exist_and_must_not_go_in_a_circle(feeder: str, complaint: str | None) -> None:
    text = (
        "site: {id: s}\nareas: [{id: a}]\nassets:\n"
        f"  - id: fridge\n    type: refrigerator\n    area: a\n    fed_by: {feeder}\n"
        "  - id: board\n    type: distribution_board\n    area: a\n"
    )
    if complaint is None:
        assert load_catalogue(text, "site.yaml").assets[0].fed_by == "board"
        return
    with pytest.raises(InputError, match=r"site\.yaml:7:13") as caught:
        load_catalogue(text, "site.yaml")
    assert complaint in caught.value.message


@pytest.mark.parametrize("name", ["normal", "first-week", "all-faults"])
def test_the_example_scenarios_can_be_read(school: Catalogue, name: str) -> None:
    path = EXAMPLE / "scenarios" / f"{name}.yaml"
    scenario = load_scenario(path.read_text(encoding="utf-8"), str(path), school)
    assert (len(scenario.faults) == 0) == (name == "normal")


def test_one_example_scenario_has_every_kind_of_fault(school: Catalogue) -> None:
    path = EXAMPLE / "scenarios" / "all-faults.yaml"
    scenario = load_scenario(path.read_text(encoding="utf-8"), str(path), school)
    assert {fault.kind for fault in scenario.faults} == set(FaultKind)
