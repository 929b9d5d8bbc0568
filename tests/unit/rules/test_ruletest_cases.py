"""Rule tests: the short notation, the file's mistakes, and differences that a person can read."""

import math
from pathlib import Path

import pytest

from domain.errors import InputError
from rules.ruletest import load_tests, run_test
from rules.series_notation import MOST_READINGS, parse_series

ROOT = Path(__file__).parents[3]

RULES = """\
rules:
  - id: warm
    applies_to: {metric: temperature}
    condition: {above: 8}
    on_delay: 10min
    priority: high
  - id: hot
    applies_to: {point: a/temperature}
    condition: {above: 20}
    priority: urgent
"""
SITE = """\
site: {id: s}
areas: [{id: k}]
assets:
  - {id: a, type: freezer, area: k, points: {temperature: {}, status: {states: {off: 0, fault: 2}}}}
  - {id: b, type: freezer, area: k, points: {temperature: {}}}
"""
BROKEN = "rules:\n  - {id: broken, applies_to: {metric: status}, condition: {state: fault}, priority: low}\n"
FILES = {"r.yaml": RULES, "s.yaml": SITE, "broken.yaml": BROKEN}


def read(name: str) -> tuple[str, str]:
    return name, FILES[name]


def file_of(body: str, head: str = "rules: r.yaml\n") -> str:
    """One test; its lines begin in line 4 when the head is one line."""
    return f"{head}tests:\n  - name: it\n" + "".join(f"    {line}\n" for line in body.splitlines())


def differences(body: str, head: str = "rules: r.yaml\n") -> list[str]:
    (case,) = load_tests(file_of(body, head), "t.yaml", read)
    return run_test(case)


def values(notation: str) -> list[float | str | None]:
    return [
        None if one is None else f"!{one.text}" if one.bad else one.text or one.value for one in parse_series(notation)
    ]


@pytest.mark.parametrize(
    ("notation", "meaning"),
    [
        ("", []),
        ("4", [4.0]),
        ("4 4.5", [4.0, 4.5]),
        ("4x3", [4.0, 4.0, 4.0]),
        ("-18x1", [-18.0]),
        ("9+0.1x4", [9.0, 9.1, 9.2, 9.3]),
        ("5-2x3", [5.0, 3.0, 1.0]),
        ("-1-1x2", [-1.0, -2.0]),
        ("7+1", [7.0]),
        ("_", [None]),
        ("4 _x2 5", [4.0, None, None, 5.0]),
        ("!", ["!"]),
        ("!85x2", ["!85", "!85"]),
        ("!open circuit", None),
        ("fault", ["fault"]),
        ("offx2 run", ["off", "off", "run"]),
        (" 4 \n 5 ", [4.0, 5.0]),
    ],
)
def test_the_short_notation(notation: str, meaning: list[float | str | None] | None) -> None:
    if meaning is None:
        assert values(notation) == ["!open", "circuit"], "a word ends at a blank"
    else:
        assert values(notation) == meaning


@pytest.mark.parametrize("notation", ["4x", "x3", "4x-1", "4*3", "1e3", "FAULT", "4+x3", "__", "4x0", "+4"])
def test_a_word_that_is_no_reading_is_named(notation: str) -> None:
    if notation == "x3":
        assert values(notation) == ["x3"], "a state may be called so"
        return
    with pytest.raises(ValueError, match=r"is no reading|gives no reading"):
        parse_series("1 " + notation)


def test_a_series_is_bounded() -> None:
    assert len(parse_series(f"1x{MOST_READINGS}")) == MOST_READINGS
    with pytest.raises(ValueError, match="longer than 1,000,000"):
        parse_series(f"1x{MOST_READINGS} 2")


def test_steps_do_not_gather_rounding() -> None:
    last = parse_series("9+0.1x1000")[-1]
    assert last is not None
    assert math.isclose(last.value, 108.9, abs_tol=0)


def test_what_is_expected_and_happens_passes() -> None:
    assert (
        differences(
            "series: [{point: a/temperature, values: 4x5 9x20 4x5}]\n"
            "transitions:\n"
            "  - {at: 25min, rule: warm, from: unacknowledged, to: returned-unacknowledged, reason: within_limit}\n"
            "  - {at: 15min, rule: warm, point: a/temperature, to: unacknowledged, priority: high, value: 9}\n"
            "active:\n"
            "  - {at: 14min, alarms: []}\n"
            "  - {at: 15min, alarms: [warm]}\n"
            "  - {at: 2026-01-01T00:20:00Z, alarms: [{rule: warm, point: a/temperature, priority: high}]}\n"
            "  - {at: 25min, alarms: []}\n"
        )
        == []
    )


def test_a_missing_and_an_unexpected_transition_read_like_a_patch() -> None:
    found = differences(
        "series: [{point: a/temperature, values: 4x5 9x20}]\n"
        "transitions: [{at: 16min, rule: warm, to: unacknowledged}]\n"
    )
    assert found == [
        "- at 16min: warm of …: … -> unacknowledged (…, …)",
        "+ at 15min: warm of a/temperature: normal -> unacknowledged (above_limit, high, value 9)",
    ] or found == [
        "+ at 15min: warm of a/temperature: normal -> unacknowledged (above_limit, high, value 9)",
        "- at 16min: warm of …: … -> unacknowledged (…, …)",
    ]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("to: acknowledged", "-> acknowledged"),
        ("to: unacknowledged, priority: low", "low"),
        ("to: unacknowledged, reason: no_data", "no_data"),
        ("to: unacknowledged, value: 9.5", "value 9.5"),
        ("to: unacknowledged, from: acknowledged", "acknowledged ->"),
        ("to: unacknowledged, point: b/temperature", "b/temperature"),
    ],
)
def test_each_thing_that_is_said_counts(said: str, shown: str) -> None:
    found = differences(
        f"series: [{{point: a/temperature, values: 9x15}}]\ntransitions: [{{at: 10min, rule: warm, {said}}}]"
    )
    assert len(found) == 2
    assert any(line.startswith("- ") and shown in line for line in found)
    assert any(line.startswith("+ ") for line in found)


def test_silence_can_be_expected_and_a_duplicate_expectation_fails() -> None:
    assert differences("series: [{point: a/temperature, values: 4x60}]\ntransitions: []") == []
    twice = "{at: 10min, rule: warm, to: unacknowledged}"
    assert differences(f"series: [{{point: a/temperature, values: 9x11}}]\ntransitions: [{twice}, {twice}]") != []


def test_alarms_of_two_points_are_told_apart() -> None:
    series = "series: [{point: a/temperature, values: 30x11}, {point: b/temperature, values: 9x11}]\n"
    assert differences(series + "active: [{at: 10min, alarms: [warm, warm, hot]}]") == []
    assert differences(series + "active: [{at: 10min, alarms: [{rule: warm, point: b/temperature}, warm, hot]}]") == []
    assert differences(series + "active: [{at: 10min, alarms: [warm, hot]}]") == [
        "  active at 10min: hot of a/temperature (urgent)",
        "  active at 10min: warm of a/temperature (high)",
        "+ active at 10min: warm of b/temperature (high)",
    ]
    assert differences(series + "active: [{at: 0s, alarms: [{rule: hot, priority: low}]}]") == [
        "- active at 0s: hot of a/temperature (low)",
        "+ active at 0s: hot of a/temperature (urgent)",
    ]


def test_start_interval_from_and_arrival_are_where_they_are_said_to_be() -> None:
    assert (
        differences(
            "start: 2026-03-01T08:00:00+08:00\n"
            "interval: 5min\n"
            "series:\n"
            "  - {point: a/temperature, values: 9x2, from: 10min}\n"
            "  - {point: a/temperature, values: 9 4, from: 20min, interval: 1min, arrives: 2h}\n"
            "transitions:\n"
            "  - {at: 2026-03-01T00:20:00Z, rule: warm, to: unacknowledged}\n"
            "  - {at: 21min, rule: warm, to: returned-unacknowledged}\n"
        )
        == []
    )


def test_until_lets_a_deadline_pass_after_the_last_reading() -> None:
    series = "series: [{point: a/temperature, values: 9}]\n"
    wanted = "transitions: [{at: 10min, rule: warm, to: unacknowledged}]\n"
    assert differences(series + wanted + "until: 10min") == []
    assert differences(series + wanted + "until: 9min") != []


def test_states_and_bad_readings() -> None:
    head = "rules: [broken.yaml, r.yaml]\nsite: s.yaml\n"
    assert (
        differences(
            "series: [{point: a/status, values: off !E5 fault}]\n"
            "transitions: [{at: 2min, rule: broken, to: unacknowledged, reason: state_entered, value: 2}]\n",
            head,
        )
        == []
    )


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("series: []", 3, "nothing is expected"),
        ("transitions: []", 3, "'series' is missing"),
        ("series: [{point: a/temperature, values: 4*3}]\ntransitions: []", 4, "'4*3' is no reading"),
        ("series: [{point: a, values: 4}]\ntransitions: []", 4, "write asset/metric"),
        ("series: [{point: a/b, values: fault}]\ntransitions: []", 4, "give the test a 'site'"),
        ("series: [{point: a/b, values: 4, arives: 1h}]\ntransitions: []", 4, "did you mean 'arrives'?"),
        ("series: []\ninterval: 0\ntransitions: []", 5, "longer than zero"),
        ("series: []\nstart: today\ntransitions: []", 5, "'today' is neither"),
        ("series: []\nuntil: 12\ntransitions: []", 5, "write 30min"),
        ("series: []\ntransitions: [{at: 1h, rule: warn, to: normal}]", 5, "did you mean 'warm'?"),
        ("series: []\ntransitions: [{at: 1h, rule: warm, to: raised}]", 5, "use one of: normal"),
        ("series: []\ntransitions: [{at: 1h, rule: warm}]", 5, "'to' is missing"),
        ("series: []\nactive: [{at: soon, alarms: []}]", 5, "'soon' is neither a time after the start"),
        ("series: []\nactive: [{at: 1h, alarms: [cold]}]", 5, "'cold' is not known here"),
    ],
)
def test_a_mistake_in_a_test_file_has_its_line(body: str, line: int, words: str) -> None:
    with pytest.raises(InputError) as caught:
        load_tests(file_of(body), "t.yaml", read)
    assert (caught.value.place.file, caught.value.place.line) == ("t.yaml", line)
    assert words in str(caught.value)


def test_a_point_or_state_that_the_site_does_not_have() -> None:
    head = "rules: r.yaml\nsite: s.yaml\n"
    with pytest.raises(InputError, match="s has no point c/temperature"):
        load_tests(file_of("series: [{point: c/temperature, values: 4}]\ntransitions: []", head), "t.yaml", read)
    with pytest.raises(InputError, match=r"its states: off, fault"):
        load_tests(file_of("series: [{point: a/status, values: run}]\ntransitions: []", head), "t.yaml", read)


def test_a_mistake_in_a_rule_file_is_placed_there() -> None:
    with pytest.raises(InputError, match=r"^bad\.yaml:1"):
        load_tests("rules: bad.yaml\ntests: []\n", "t.yaml", lambda name: (name, "rule: []\n"))


def test_the_example_passes() -> None:
    folder = ROOT / "examples" / "rules"

    def from_disk(name: str) -> tuple[str, str]:
        return name, (folder / name).read_text(encoding="utf-8")

    cases = load_tests((folder / "own-fridge.test.yaml").read_text(encoding="utf-8"), "own-fridge.test.yaml", from_disk)
    assert len(cases) == 7
    assert {case.name: run_test(case) for case in cases} == {case.name: [] for case in cases}
