"""Times, durations, units and ids at the borders."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import check_id, is_id, parse_point
from domain.times import EARLIEST, LATEST, format_duration, from_ms, iso, parse_duration, parse_time, to_ms
from domain.units import CANONICAL, UNITS, Quantity, convert, unit_of


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        to_ms(datetime(2026, 3, 1, 8, 0))  # noqa: DTZ001 - naive on purpose
    with pytest.raises(ValueError, match="no time zone"):
        parse_time("2026-03-01T08:00:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T08:00:00Z", "2026-03-01T08:00:00.000Z"),
        ("2026-03-01T08:00:00+08:00", "2026-03-01T00:00:00.000Z"),
        ("2026-03-01T08:00:00.5Z", "2026-03-01T08:00:00.500Z"),
        (" 1772352000000 ", "2026-03-01T08:00:00.000Z"),
    ],
)
def test_times_are_read_in_both_forms(text: str, expected: str) -> None:
    assert iso(parse_time(text)) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "1772352000", "2026-13-01T00:00:00Z", "99999999999999"])
def test_a_time_in_another_unit_or_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


@given(st.integers(EARLIEST, LATEST))
def test_a_time_survives_the_way_to_text_and_back(ms: int) -> None:
    assert parse_time(iso(ms)) == ms
    assert to_ms(from_ms(ms)) == ms


def test_milliseconds_are_rounded_down_in_any_zone() -> None:
    moment = datetime(2026, 3, 1, 8, 0, 0, 1999, tzinfo=timezone(timedelta(hours=8)))
    assert to_ms(moment) == to_ms(datetime(2026, 3, 1, 0, 0, 0, 1000, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "ms"),
    [("30min", 1_800_000), ("1h30min", 5_400_000), ("90s", 90_000), ("2d", 172_800_000), ("500ms", 500), ("0", 0),
     ("1.5h", 5_400_000), (" 15 min ", 900_000), (0, 0)],
)  # fmt: skip
def test_durations_are_read(text: str | int, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize("text", ["", "30", 30, "min", "30 minutes", "-5s", "5s x", "x 5s", True, 1.5, "1h x 5s"])
def test_a_duration_without_a_unit_or_with_more_is_refused(text: str | int | float) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(0, 10**12))
def test_a_duration_survives_the_way_to_text_and_back(ms: int) -> None:
    assert parse_duration(format_duration(ms)) == ms


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [(41.0, "°F", "Cel", 5.0), (0.0, "Cel", "degF", 32.0), (273.15, "K", "Cel", 0.0), (1500.0, "Wh", "kWh", 1.5),
     (3.6e6, "J", "kWh", 1.0), (2.0, "kW", "W", 2000.0), (1.0, "bar", "hPa", 1000.0), (250.0, "mA", "A", 0.25)],
)  # fmt: skip
def test_units_convert(value: float, source: str, target: str, expected: float) -> None:
    assert convert(value, source, target) == pytest.approx(expected, abs=1e-9)


def test_units_of_different_quantities_do_not_convert() -> None:
    with pytest.raises(ValueError, match="unit of temperature"):
        convert(1.0, "Cel", "W")
    with pytest.raises(ValueError, match="not a known unit"):
        unit_of("furlong")


@given(st.sampled_from(sorted(UNITS)), st.floats(-1e6, 1e6))
def test_every_unit_converts_there_and_back(code: str, value: float) -> None:
    unit = UNITS[code]
    assert unit.from_canonical(unit.to_canonical(value)) == pytest.approx(value, rel=1e-9, abs=1e-6)


def test_every_quantity_has_a_canonical_unit_that_converts_to_itself() -> None:
    for quantity in Quantity:
        assert CANONICAL[quantity].to_canonical(12.25) == 12.25


@pytest.mark.parametrize("text", ["a", "fridge-1", "0_x", "a" * 63])
def test_legal_ids(text: str) -> None:
    assert is_id(text)
    assert check_id(text, "asset") == text


@pytest.mark.parametrize("text", ["", "A", "-a", "_a", "a b", "a/b", "a+", "#", "a" * 64, "a\n", "é", "١"])
def test_illegal_ids(text: str) -> None:
    assert not is_id(text)
    with pytest.raises(ValueError, match="not a valid asset id"):
        check_id(text, "asset")


def test_a_point_is_two_ids() -> None:
    assert parse_point("fridge-1/temperature") == ("fridge-1", "temperature")
    for text in ("fridge-1", "fridge-1/", "/temperature", "a/b/c", "A/b"):
        with pytest.raises(ValueError, match="asset/metric"):
            parse_point(text)
