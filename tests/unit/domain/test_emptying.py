"""Which cold unit is emptied first: the one with the least time, and before it the one of which nothing is known."""

from domain.catalogue import Asset, Label
from domain.emptying import STALE, empty_first
from domain.readings import Quality
from domain.records import Latest
from domain.times import HOUR, MINUTE

NOW = 1_000 * HOUR


def unit(name: str, kind: str = "refrigerator") -> Asset:
    return Asset(name, kind, "kitchen", Label(name))


def newest(point: str, value: float, *, age: int = MINUTE, quality: Quality = Quality.GOOD) -> Latest:
    return Latest(point, NOW - age, value, quality, NOW - age)


def order(
    *assets: Asset, readings: tuple[Latest, ...] = (), **more: dict[str, float]
) -> list[tuple[str, float | None]]:
    found = empty_first(assets, {one.point: one for one in readings}, NOW, **more)  # type: ignore[arg-type]
    return [(one.asset.id, None if one.left is None else round(one.left / MINUTE)) for one in found]


def test_without_cold_units_there_is_no_list() -> None:
    assert order() == []
    assert order(unit("boiler", "boiler"), unit("hot", "hot_holding")) == []


def test_the_warmest_fridge_has_the_least_time() -> None:
    readings = (newest("a/temperature", 3.0), newest("b/temperature", 6.3))
    assert order(unit("a"), unit("b"), readings=readings) == [("b", 60), ("a", 176)]


def test_a_freezer_warms_faster_and_has_a_limit_of_its_own() -> None:
    readings = (newest("f/temperature", -19.8), newest("a/temperature", 4.6))
    assert order(unit("a"), unit("f", "freezer"), readings=readings) == [("a", 120), ("f", 120)]


def test_the_foods_own_temperature_counts_before_the_airs() -> None:
    readings = (newest("a/temperature", 9.0), newest("a/product_temperature", 4.6))
    assert order(unit("a"), readings=readings) == [("a", 120)]


def test_what_has_passed_its_limit_has_no_time() -> None:
    assert order(unit("a"), readings=(newest("a/temperature", 8.1),)) == [("a", 0)]
    assert order(unit("a"), readings=(newest("a/temperature", 8.1),), left={"a": 50 * MINUTE}) == [("a", 0)]
    assert order(unit("a"), readings=(newest("a/temperature", 8.0),)) == [("a", 0)]


def test_not_known_comes_first() -> None:
    readings = (newest("a/temperature", 7.9), newest("c/temperature", 4.0, quality=Quality.BAD))
    assert order(unit("a"), unit("b"), unit("c"), readings=readings) == [("b", None), ("c", None), ("a", 4)]


def test_an_old_temperature_says_nothing() -> None:
    assert order(unit("a"), readings=(newest("a/temperature", 4.6, age=STALE),)) == [("a", 120)]
    assert order(unit("a"), readings=(newest("a/temperature", 4.6, age=STALE + 1),)) == [("a", None)]


def test_the_sites_own_limit_and_a_better_estimate_take_the_place_of_the_typical() -> None:
    readings = (newest("a/temperature", 3.3),)
    assert order(unit("a"), readings=readings, limits={"a": 5.0}) == [("a", 60)]
    assert order(unit("a"), readings=readings, left={"a": 47 * MINUTE}) == [("a", 47)]
    assert order(unit("a"), left={"a": 47 * MINUTE}) == [("a", 47)]
    assert order(unit("a"), readings=readings, left={"a": -5}) == [("a", 0)]


def test_a_better_estimate_is_marked_as_learned_and_the_typical_rate_is_not() -> None:
    readings = {one.point: one for one in (newest("a/temperature", 4.6), newest("b/temperature", 4.6))}
    found = empty_first((unit("a"), unit("b"), unit("c")), readings, NOW, left={"a": 30 * MINUTE})
    assert [(one.asset.id, one.learned) for one in found] == [("c", False), ("a", True), ("b", False)]
    (warm,) = empty_first((unit("a"),), {"a/temperature": newest("a/temperature", 9.0)}, NOW, left={"a": MINUTE})
    assert (warm.left, warm.learned) == (0, False)
