"""The sentences of the evidence, word for word: what stands on a page is a number that a person can check."""

import pytest

from api import insight_words
from api.i18n import language
from rules.insight.causes import Cause, Evidence
from rules.insight.features import Feature

EN, ZH = language("en"), language("zh")

SENTENCES = [
    (Feature.SUPPLY, 0.0, "there is electricity"),
    (Feature.SUPPLY, 1.0, "it draws no power, while others on its board do"),
    (Feature.SUPPLY, 2.0, "neither it nor its board draws power"),
    (Feature.STOOD, 2.14, "the compressor has stood 2.1 times as long as its longest usual pause"),
    (Feature.RUN_SHARE, 0.034, "the compressor ran 3 % of the last hour"),
    (Feature.RUN_SHARE, 1.0, "the compressor ran 100 % of the last hour"),
    (Feature.DUTY, 0.7, "in the last 3 h it ran 0.7 times as much as usual"),
    (Feature.DUTY_BEFORE, 1.6, "before that it ran 1.6 times as much as usual"),
    (Feature.RUN_POWER, 0.78, "while running it draws 78 % of what it used to"),
    (Feature.RUN_POWER, 1.21, "while running it draws 121 % of what it used to"),
    (Feature.DRAW, 0.04, "it draws 4 % of the compressor’s power now"),
    (Feature.HEATING, 5.26, "the defrost heater has been on for 5.3 usual defrosts"),
    (Feature.OVERDUE, 3.0, "the last defrost began 3 usual intervals ago"),
    (Feature.WARM_FOR, 23.4, "for 23 h it has not been as cold as usual"),
    (Feature.FLAT, 173.0, "the air’s reading has not changed for 173 min"),
    (Feature.STIR, 0.11, "the air’s reading is 11 % as restless as usual"),
    (Feature.RUN_STIR, 0.3, "while it runs the air’s reading is 30 % as restless as usual"),
    (Feature.UNUSABLE, 0.9, "90 % of the air probe’s last 45 min are missing or unusable, while the asset is heard"),
    (Feature.DOOR, 0.84, "the door was open for 84 % of the last 45 min"),
    (Feature.DAMP, -12.1, "humidity is \N{MINUS SIGN}12 points from the usual"),
    (Feature.FOOD_FOLLOWS, 0.15, "in 2 h the food rose by 15 % of the air’s rise"),
    (Feature.FOOD_JUMP, 1.75, "the food rose by 1.8 °C within 4 min"),
    (Feature.RISE, 3.1, "the air rose by 3.1 °C within 15 min"),
    (Feature.SLOPE, -0.42, "the air now changes by \N{MINUS SIGN}0.4 °C per hour"),
    (Feature.OFFSET, 4.0, "the air is 4 °C from its usual mean"),
]
CAUSES = [
    (Cause.COMPRESSOR, "compressor does not cool", "压缩机不制冷"),
    (Cause.POWER_CUT, "no electricity", "没有供电"),
    (Cause.DOOR, "door open or ajar", "柜门未关严"),
    (Cause.FAN, "fan at the cooling coil stands", "蒸发器风机停转"),
    (Cause.ICING, "cooling coil iced up, or no defrost", "蒸发器结冰或未除霜"),
    (Cause.REFRIGERANT_OR_CONDENSER, "refrigerant is leaking, or the condenser is dirty", "制冷剂泄漏或冷凝器脏堵"),
    (Cause.DEFROST, "defrost does not end", "除霜不结束"),
    (Cause.WARM_LOAD, "much or warm food was put in", "放入了大量或未冷却的食品"),
    (Cause.SENSOR, "sensor fault", "传感器故障"),
    (Cause.NOT_SURE, "not sure", "不确定"),
]


@pytest.mark.parametrize(("feature", "value", "text"), SENTENCES)
def test_an_observation_is_said_with_its_number(feature: Feature, value: float, text: str) -> None:
    assert insight_words.sentence(EN, Evidence(feature, value, 1.0), 1.0) == text
    chinese = insight_words.sentence(ZH, Evidence(feature, value, 1.0), 1.0)
    assert chinese != text


def test_every_observation_stands_in_the_list() -> None:
    assert {feature for feature, _, _ in SENTENCES} == set(Feature)


@pytest.mark.parametrize(("cause", "english", "chinese"), CAUSES)
def test_a_cause_is_said_in_both_languages(cause: Cause, english: str, chinese: str) -> None:
    assert insight_words.cause(EN, cause) == english
    assert insight_words.cause(ZH, cause) == chinese


def test_every_cause_stands_in_the_list() -> None:
    assert {cause for cause, _, _ in CAUSES} == set(Cause)


@pytest.mark.parametrize("degrees", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("feature", [Feature.RISE, Feature.SLOPE, Feature.OFFSET])
def test_degrees_of_a_fridge_are_said_in_degrees_of_the_asset(feature: Feature, degrees: float) -> None:
    text = insight_words.sentence(EN, Evidence(feature, 4.0, 1.0), degrees)
    assert f" {4.0 * degrees:g} °C" in text


@pytest.mark.parametrize("feature", [Feature.FOOD_JUMP, Feature.DOOR, Feature.STOOD])
def test_other_numbers_are_those_of_the_asset_already(feature: Feature) -> None:
    one = Evidence(feature, 0.5, 1.0)
    assert insight_words.sentence(EN, one, 1.0) == insight_words.sentence(EN, one, 3.0)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.0, 0, "0"),
        (-0.04, 1, "0"),
        (-0.06, 1, "\N{MINUS SIGN}0.1"),
        (7.7046, 1, "7.7"),
        (1234.0, 0, "1,234"),
    ],
)
def test_a_number_is_shown_as_short_as_it_is_known(value: float, decimals: int, text: str) -> None:
    assert insight_words.number(EN, value, decimals) == text
