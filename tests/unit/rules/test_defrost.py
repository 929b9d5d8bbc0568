"""Defrosts by their shape: a mask while one is on, an alarm when one is missing or does not end."""

import pytest

from domain.times import HOUR, MINUTE
from rules.loading import load_rules
from rules.resolve import plan_of
from rules.signals.defrost import Asked, Defrost
from tests.unit.rules.signal_stories import lived, told

HUMP = "-18+1x17 -2x3 -2-1x16"  # 36 minutes up to -2 and back
CALM = " ".join(["-18 -18.5 -19 -18.5"] * 60)  # four hours
MISSED = "{defrost_missed: {longer_than: 14h}}"
ENDLESS = "{defrost_endless: {longer_than: 60min}}"
WARM = "condition: {above: -12}, on_delay: 10min, priority: high"
GAP = ", max_gap: 3min"


def kinds(said: list[tuple[float, str, str]]) -> list[str]:
    return [entry[1] for entry in said]


def test_a_hump_is_seen_from_five_degrees_up_to_half_way_back() -> None:
    said = told("{defrost: {}}", f"-18x30 {HUMP} -18x30")
    assert said == [(36, "raise", "defrost_wrong"), (59, "clear", "condition_over")], (
        "above -13 twice going up; half of what it rose to, -10, twice going down"
    )


@pytest.mark.parametrize("code", [-127, 85])
def test_a_single_error_code_neither_begins_nor_hides_a_hump(code: int) -> None:
    assert told("{defrost: {}}", f"-18x30 {code} -18x30") == []
    said = told("{defrost: {}}", f"-18x20 {code} -18x9 {HUMP} -18x30")
    assert [entry[0] for entry in said] == [36, 59]
    said = told("{defrost: {}}", f"-18x30 -18+1x12 {code} -6+1x4 -2x3 -2-1x16 -18x30")
    assert [entry[0] for entry in said] == [36, 59], "nor does one in the middle of it end it"


def test_it_masks_the_limit_of_the_air() -> None:
    assert kinds(lived(WARM, f"-18x30 {HUMP} -18x30")) == ["raise", "clear"]
    assert lived(f"{WARM}, mask: {{defrost: {{}}}}", f"-18x30 {HUMP} -18x30") == []


def test_a_failing_compressor_is_no_defrost() -> None:
    slow = "-18x30 -18+0.06x200"  # 3.6 degrees an hour
    assert kinds(lived(f"{WARM}, mask: {{defrost: {{}}}}", slow)) == ["raise"]


def test_a_mask_is_not_for_ever() -> None:
    said = lived(f"{WARM}, mask: {{defrost: {{}}, for_at_most: 45min}}", "-18x30 -18+1x17 -2x90")
    assert [entry[0] for entry in said] == [36 + 45 + 10], "the hump was seen at 36"


def test_a_defrost_that_does_not_end() -> None:
    assert told(ENDLESS, f"-18x30 {HUMP} {CALM}") == []
    assert told(ENDLESS, "-18x30 -18+1x17 -2x90 -2-1x16") == [
        (96, "raise", "defrost_wrong"),
        (146, "clear", "condition_over"),
    ]


def test_warm_goods_after_a_defrost_are_not_its_end_missing() -> None:
    assert told(ENDLESS, f"-18x30 -18+1x17 -2x3 -2-1x12 -13x90 {CALM}") == [], "half of what it rose to is gone"


def test_a_defrost_that_does_not_come() -> None:
    assert told(MISSED, f"{CALM} {HUMP} {CALM} {CALM} {CALM}") == []
    said = told(MISSED, f"{CALM} {HUMP} {CALM} {CALM} {CALM} {CALM} {HUMP} {CALM}")
    assert kinds(said) == ["raise", "clear"]
    assert said[0][0] == 246 + 14 * 60, "14 hours after the hump was seen"


def test_of_a_unit_that_never_defrosted_nothing_is_missed() -> None:
    assert told(MISSED, " ".join([CALM] * 8)) == [], "defrosted by hand"


def test_after_a_long_hole_the_time_counts_from_its_end() -> None:
    said = told(MISSED, f"{HUMP} {CALM} {CALM} _x30 " + " ".join([CALM] * 4), more=GAP)
    assert said == [(36 + 480 + 30 + 840, "raise", "defrost_wrong")], "one may have passed unseen"


def test_a_short_hole_hides_no_defrost() -> None:
    said = told(MISSED, f"{HUMP} {CALM} {CALM} _x10 " + " ".join([CALM] * 4), more=GAP)
    assert said == [(6 + 840, "raise", "defrost_wrong")]


def test_it_reads_as() -> None:
    rule = load_rules(f"rules: [{{id: r, applies_to: {{metric: m}}, condition: {MISSED}, priority: low}}]", "r.yaml")
    plan = plan_of(rule.rules["r"], None)
    assert plan.signal == Defrost(Asked.SINCE, 5.0, 30 * MINUTE, 14 * HOUR)
    assert plan.lookback == 28 * HOUR + 30 * MINUTE
