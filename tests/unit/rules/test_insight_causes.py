"""Why an asset is warm: each cause told from a plant to which it was done, its evidence, and when it is not sure."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.times import DAY, HOUR
from rules.insight.causes import NOTHING, STRANGEST, Cause, judge_cause, place_of, weigh
from rules.insight.columns import AssetColumns, Column, grid_of
from rules.insight.features import Feature, observe
from rules.insight.table import EDGES, LIKELIHOOD
from tests.insight.synthetic import END, Plant, Story, column_of_minutes, course

STORIES = {
    Cause.COMPRESSOR: Story(fails_at=150),
    Cause.POWER_CUT: Story(cut_at=150),
    Cause.DOOR: Story(open_at=60),
    Cause.FAN: Story(fan_at=200),
    Cause.SENSOR: Story(stuck_at=240),
}


@pytest.mark.parametrize("cause", list(STORIES))
def test_what_was_done_to_the_plant_is_named(cause: Cause) -> None:
    found = judge_cause(course(STORIES[cause]), END)
    assert found.cause is cause
    assert found.confidence > 0.65
    assert found.ranked[0] == (cause, found.confidence)


def test_a_failed_compressor_is_shown_by_its_power() -> None:
    found = judge_cause(course(STORIES[Cause.COMPRESSOR]), END)
    named = {one.feature: one for one in found.evidence}
    assert named[Feature.DRAW].value == pytest.approx(12 / 300, abs=0.01)
    assert named[Feature.DRAW].weight > 1.0
    assert named[Feature.STOOD].value > 2.0
    assert [one.weight for one in found.evidence] == sorted((one.weight for one in found.evidence), reverse=True)


def test_an_unplugged_fridge_beside_others_that_run_is_told_from_a_failed_one() -> None:
    columns = replace(course(Story(cut_at=150)), supply=column_of_minutes(np.full(3 * 24 * 60, 900.0)))
    assert observe(grid_of(columns, END))[Feature.SUPPLY] == 1.0


def test_the_readings_of_neighbours_tell_of_a_cut_where_the_fridge_has_no_meter() -> None:
    columns = replace(course(Story(cut_at=150, without=frozenset({"power"}))), supply=None)
    dead = column_of_minutes(np.where(np.arange(4000) > 3850, 0.0, 200.0))
    assert observe(grid_of(replace(columns, neighbours=(dead, dead)), END))[Feature.SUPPLY] == 2.0
    living = column_of_minutes(np.full(4000, 200.0))
    assert observe(grid_of(replace(columns, neighbours=(dead, living)), END))[Feature.SUPPLY] == 0.0
    assert math.isnan(observe(grid_of(columns, END))[Feature.SUPPLY])


def test_an_error_code_is_a_fault_of_the_sensor() -> None:
    columns = course()
    assert columns.air is not None
    value = columns.air.value.copy()
    value[-50:] = 882.6
    found = judge_cause(replace(columns, air=Column(columns.air.time, value, columns.air.quality)), END)
    assert found.cause is Cause.SENSOR
    assert found.evidence[0].feature is Feature.UNUSABLE


def test_nothing_is_said_of_what_is_not_kept_cold() -> None:
    assert judge_cause(replace(course(STORIES[Cause.COMPRESSOR]), asset_type="boiler"), END) == NOTHING


def test_with_too_little_to_see_it_is_not_sure() -> None:
    assert weigh({}) == NOTHING
    assert weigh({Feature.DOOR: 1.0, Feature.RISE: math.nan}) == NOTHING
    assert judge_cause(AssetColumns("refrigerator"), END) == NOTHING
    assert NOTHING.likeliest is Cause.NOT_SURE


def test_when_everything_is_silent_it_is_not_sure() -> None:
    assert judge_cause(course(STORIES[Cause.DOOR]), END + DAY).cause is Cause.NOT_SURE


def test_what_speaks_for_two_causes_alike_is_not_sure_and_names_both() -> None:
    found = weigh(dict.fromkeys(Feature, math.nan) | {
        Feature.SUPPLY: 0.0, Feature.RISE: 2.0, Feature.FLAT: 2.0, Feature.UNUSABLE: 0.0, Feature.SLOPE: 0.0,
    })  # fmt: skip
    assert found.cause is Cause.NOT_SURE
    assert found.likeliest is not Cause.NOT_SURE
    assert found.evidence


def test_what_no_cause_explains_is_not_sure() -> None:
    # Each feature where the best cause has it least: as if the table knew nothing of what happens.
    cause = Cause.COMPRESSOR
    worst = {
        feature: float(([-1.0, *(edge + 1e-6 for edge in EDGES[feature])])[int(np.argmin(LIKELIHOOD[cause][feature]))])
        for feature in Feature
    }
    found = weigh(worst)
    if found.likeliest is not Cause.NOT_SURE:
        rows = [LIKELIHOOD[found.likeliest][feature][place_of(feature, value)] for feature, value in worst.items()]
        assert found.cause is not Cause.NOT_SURE or np.mean(rows) < STRANGEST or found.confidence < 0.65


def test_an_edge_belongs_to_the_range_above_it() -> None:
    edges = EDGES[Feature.DOOR]
    assert [place_of(Feature.DOOR, value) for value in (0.0, edges[0], edges[1])] == [0, 1, 2]


def test_the_table_has_every_cause_and_feature_and_its_rows_are_frequencies() -> None:
    assert set(LIKELIHOOD) == set(Cause) - {Cause.NOT_SURE}
    assert set(EDGES) == set(Feature)
    for features in LIKELIHOOD.values():
        assert set(features) == set(Feature)
        for feature, row in features.items():
            assert len(row) == len(EDGES[feature]) + 1
            assert sum(math.exp(number) for number in row) == pytest.approx(1.0, abs=0.05)


@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from(list(Feature)), st.floats(-20, 200) | st.just(math.nan), max_size=25))
def test_whatever_is_seen_the_shares_are_shares_and_what_is_nan_says_nothing(seen: dict[Feature, float]) -> None:
    found = weigh(seen)
    assert sum(share for _, share in found.ranked) == pytest.approx(1.0 if found.ranked else 0.0, abs=0.01)
    assert {one.feature for one in found.evidence} <= {name for name, value in seen.items() if not math.isnan(value)}
    assert found == weigh({name: value for name, value in seen.items() if not math.isnan(value)})


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.7, 1.0])
def test_with_most_readings_missing_it_may_be_unsure_but_never_breaks(missing: float) -> None:
    found = judge_cause(course(replace(STORIES[Cause.COMPRESSOR], missing=missing)), END)
    assert found.cause in (Cause.COMPRESSOR, Cause.NOT_SURE)


def test_a_single_reading_and_an_hour_of_past_do_not_break_it() -> None:
    one = Column(np.array([END]), np.array([9.0]), np.zeros(1, np.uint8))
    assert judge_cause(AssetColumns("freezer", one, one, one, one, one, one, (one,)), END).cause is Cause.NOT_SURE
    assert judge_cause(course(Story(minutes=60)), END - HOUR // 2).cause in set(Cause)


def test_features_of_a_healthy_plant_are_ordinary() -> None:
    seen = observe(grid_of(course(Story(seed=4), Plant()), END))
    assert seen[Feature.SUPPLY] == 0.0
    assert seen[Feature.DUTY] == pytest.approx(1.0, abs=0.3)
    assert seen[Feature.RUN_POWER] == pytest.approx(1.0, abs=0.02)
    assert abs(seen[Feature.OFFSET]) < 0.7
    assert seen[Feature.UNUSABLE] < 0.2
    assert seen[Feature.DOOR] == 0.0
