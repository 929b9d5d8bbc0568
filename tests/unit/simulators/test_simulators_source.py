"""The simulated plant as an agent's source: history, live, the hold of the demonstration, and its options."""

import json
from pathlib import Path

import pytest

from domain.catalogue import Catalogue
from domain.errors import CaretakerError, InputError
from domain.readings import Quality, Reading
from domain.source import RecordedTime, Source
from domain.times import DAY, HOUR, MINUTE, SECOND, iso, parse_time
from simulators.control import read_control
from simulators.faults import FaultKind
from simulators.source import SimulatedSource, read_options

EXAMPLE = Path(__file__).parents[3] / "examples" / "school" / "site.yaml"
START = parse_time("2026-03-02T00:00:00Z")


def source(**options: object) -> SimulatedSource:
    found = SimulatedSource.from_options({"site": str(EXAMPLE), "agent": "canteen", "start": iso(START), **options})
    found.open()
    return found


def test_it_is_a_source_with_recorded_time() -> None:
    found: Source = source()
    assert isinstance(found, RecordedTime)
    assert not found.exhausted
    found.close()


def test_each_agent_announces_its_own_points(school: Catalogue) -> None:
    names = {agent: {point.point for point in source(agent=agent).points()} for agent in ("canteen", "plant")}
    assert names["canteen"] | names["plant"] == set(school.by_name)
    assert not names["canteen"] & names["plant"]
    by_name = {point.point: point for point in source().points()}
    assert by_name["fridge-1/temperature"].unit == "Cel"
    assert by_name["fridge-1/temperature"].interval == MINUTE
    assert by_name["fridge-1/door"].states == {"closed": 0, "open": 1}
    everything = SimulatedSource.from_options({"site": str(EXAMPLE)})
    assert len(everything.points()) == len(school.by_name)


def test_history_comes_first_and_then_live_samples() -> None:
    found = source(history="1h", live_interval="5s")
    times = sorted({reading.time for reading in found.read(START + HOUR + 12 * SECOND)})
    assert times == [*range(START, START + HOUR + 1, MINUTE), START + HOUR + 5_000, START + HOUR + 10_000]
    assert list(found.read(START + HOUR + 12 * SECOND)) == []
    later = [reading.time for reading in found.read(START + HOUR + 15 * SECOND)]
    assert set(later) == {START + HOUR + 15_000}


def test_without_a_start_the_history_lies_before_the_first_call() -> None:
    found = SimulatedSource.from_options({"site": str(EXAMPLE), "agent": "plant", "history": "10min"})
    now = START + 33 * SECOND
    times = sorted({reading.time for reading in found.read(now)})
    assert times[0] == START - 10 * MINUTE
    assert times[-2:] == [START, now]


def test_readings_come_in_order_of_time_and_lazily() -> None:
    found = source(history="7d")
    stream = iter(found.read(START + 7 * DAY))
    taken = [next(stream) for _ in range(200)]
    assert [reading.time for reading in taken] == sorted(reading.time for reading in taken)
    assert found.complete_until <= START + 20 * MINUTE


def test_what_is_read_does_not_depend_on_how_it_is_asked() -> None:
    end = START + 2 * HOUR
    at_once = list(source(history="1h").read(end))
    found, piecemeal = source(history="1h"), list[Reading]()
    for now in (START, START, START + 1, START + 17 * MINUTE + 3, START + HOUR, START + HOUR + 4_999, end - 1, end):
        piecemeal += found.read(now)
    assert [str(each) for each in piecemeal] == [str(each) for each in at_once]


def test_a_read_that_was_broken_off_goes_on_where_it_was() -> None:
    end = START + HOUR
    whole = list(source(history="1h").read(end))
    found, taken = source(history="1h"), list[Reading]()
    while len(taken) < len(whole):
        for reading, _ in zip(found.read(end), range(7), strict=False):
            taken.append(reading)
            if len(taken) % 7 == 0:
                break
    assert [str(each) for each in taken] == [str(each) for each in whole]


def test_two_agents_and_the_whole_tell_one_story() -> None:
    end = START + HOUR
    options = {"history": "1h"}
    parts = [reading for agent in ("canteen", "plant") for reading in source(agent=agent, **options).read(end)]
    whole = SimulatedSource.from_options({"site": str(EXAMPLE), "start": iso(START), **options}).read(end)
    assert sorted(map(str, parts)) == sorted(map(str, whole))


def test_the_promise_never_outruns_what_follows() -> None:
    found, promised = source(history="10min"), 0
    for now in range(START, START + 12 * MINUTE, 7 * SECOND):
        for reading in found.read(now):
            assert reading.time >= promised
        promised = max(promised, found.complete_until)
        assert promised <= now
    assert promised > START + 11 * MINUTE


def test_scenario_faults_reach_the_readings(tmp_path: Path) -> None:
    story = tmp_path / "story.yaml"
    story.write_text(
        "missing: 0.05\nfaults:\n"
        "  - {kind: error_code, target: fridge-1/temperature, start: 10min, duration: 5min, code: -127}\n"
        "  - {kind: drop_out, target: fridge-2/temperature, start: 0s, duration: 1h}\n"
    )
    readings = list(source(history="1h", scenario=str(story)).read(START + 50 * MINUTE))
    bad = [each for each in readings if each.point == "fridge-1/temperature" and each.quality is Quality.BAD]
    assert {(each.value, each.text) for each in bad} == {(-127.0, "-127")}
    assert 3 <= len(bad) <= 5
    assert not [each for each in readings if each.point == "fridge-2/temperature"]
    assert len(readings) < 51 * 25  # 26 points, one of them silent, some readings lost


def test_a_hot_holding_that_is_off_is_a_bad_reading_with_that_word() -> None:
    (reading,) = [
        each for each in source(start="2026-03-07T00:00:00Z").read(parse_time("2026-03-07T00:00:00Z"))
        if each.point == "hot-holding-1/temperature"
    ]  # fmt: skip
    assert (reading.quality, reading.text) == (Quality.BAD, "off")


HOLD = START + 6 * HOUR
LIVE = HOLD + 3 * HOUR + 17 * SECOND + 250


def held(folder: Path, agent: str = "canteen", seed: int = 1) -> SimulatedSource:
    return source(agent=agent, seed=seed, hold_at=iso(HOLD), control=str(folder / "control.json"))


def release(folder: Path, *faults: dict[str, object]) -> None:
    (folder / "control.json").write_text(json.dumps({"live_at": LIVE, "faults": list(faults)}))


def test_a_held_source_waits_for_its_control_and_promises_no_more(tmp_path: Path) -> None:
    found = held(tmp_path)
    assert max(reading.time for reading in found.read(LIVE)) == HOLD
    assert list(found.read(LIVE)) == []
    assert HOLD < found.complete_until <= HOLD + MINUTE
    release(tmp_path)
    times = sorted({reading.time for reading in found.read(LIVE + 11 * SECOND)})
    assert times[0] == HOLD + MINUTE
    assert times[-3:] == [LIVE, LIVE + 5 * SECOND, LIVE + 10 * SECOND]
    assert LIVE - times[-4] < MINUTE


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_wished_crossing_comes_to_the_second_and_stays(tmp_path: Path, seed: int) -> None:
    at = LIVE + 30 * SECOND - 30 * MINUTE
    found = held(tmp_path, seed=seed)
    for _ in found.read(LIVE):
        pass
    release(
        tmp_path, {"kind": "compressor_failure", "target": "fridge-1", "crosses": {"above": 8.0, "at": at}}
    )  # fmt: skip
    air = [(each.time, each.value) for each in found.read(LIVE + 10 * MINUTE) if each.point == "fridge-1/temperature"]
    assert (at, 8.1) in air
    assert all(value > 8.0 for time, value in air if time >= at)
    assert all(value <= 8.0 for time, value in air if at - 10 * MINUTE < time < at)
    values = [value for time, value in air if time >= at]
    assert values == sorted(values)


def test_both_agents_of_a_held_plant_agree_on_the_fault(tmp_path: Path) -> None:
    sources = [held(tmp_path, agent) for agent in ("canteen", "plant")]
    for each in sources:
        list(each.read(LIVE))
    release(
        tmp_path,
        {"kind": "compressor_failure", "target": "fridge-1", "crosses": {"above": 8.0, "at": LIVE - 29 * MINUTE}},
        {"kind": "boiler_fault", "target": "boiler-1", "start": LIVE + 10 * SECOND, "duration": "25s"},
    )
    readings = [list(each.read(LIVE + MINUTE)) for each in sources]
    simulations = [each.simulation for each in sources]
    assert simulations[0].faults == simulations[1].faults
    assert {fault.kind for fault in simulations[0].faults} >= {FaultKind.COMPRESSOR_FAILURE, FaultKind.BOILER_FAULT}
    status = [(each.time - LIVE, each.value) for each in readings[1] if each.point == "boiler-1/status"]
    broken = [time for time, value in status if value == 2.0]
    assert broken == [10_000, 15_000, 20_000, 25_000, 30_000]


def test_what_cannot_be_warm_in_time_gets_a_door_ajar_besides(tmp_path: Path) -> None:
    found = held(tmp_path)
    list(found.read(LIVE))
    at = HOLD + 20 * MINUTE
    release(tmp_path, {"kind": "compressor_failure", "target": "fridge-1", "crosses": {"above": 8.0, "at": at}})
    air = [(each.time, each.value) for each in found.read(LIVE) if each.point == "fridge-1/temperature"]
    assert next(time for time, value in air if value > 8.0) == at
    assert {fault.kind for fault in found.simulation.faults} == {FaultKind.COMPRESSOR_FAILURE, FaultKind.DOOR_LEFT_OPEN}


def test_what_cannot_be_warm_at_all_is_an_error(tmp_path: Path) -> None:
    found = held(tmp_path)
    list(found.read(LIVE))
    wish = {"above": 90.0, "at": LIVE}
    release(tmp_path, {"kind": "compressor_failure", "target": "fridge-1", "crosses": wish})
    with pytest.raises(CaretakerError, match="cannot be that warm"):
        list(found.read(LIVE))
    release(tmp_path, {"kind": "compressor_failure", "target": "fridge-1", "crosses": {"above": 8.0, "at": HOLD}})
    with pytest.raises(CaretakerError, match="is past"):
        list(found.read(LIVE))


CRASH = {"kind": "compressor_failure", "target": "fridge-1"}
PUMP = {"kind": "pump_fault", "target": "pump-1", "crosses": {"above": 8, "at": LIVE}}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"faults": []}, "'live_at' is missing"),
        ({"live_at": HOLD - 1}, "before the moment of holding"),
        ({"live_at": "soon"}, "neither RFC 3339"),
        ({"live_at": LIVE, "faults": [CRASH]}, "'start' is missing"),
        ({"live_at": LIVE, "faults": [{**CRASH, "crosses": {"above": 8.0}}]}, "'at' is missing"),
        ({"live_at": LIVE, "faults": [{**CRASH, "start": LIVE, "crosses": {"above": 8, "at": LIVE}}]}, "is found from"),
        (
            {
                "live_at": LIVE,
                "faults": [{"kind": "pump_fault", "target": "pump-1", "crosses": {"above": 8, "at": LIVE}}],
            },
            "does not make an asset's air cross",
        ),
    ],
)
def test_a_wrong_control_file_is_refused(school: Catalogue, document: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        read_control(json.dumps(document), "control.json", school, HOLD)
    assert complaint in caught.value.message


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "'site' is missing"),
        ({"site": "nowhere.yaml"}, "cannot be read"),
        ({"site": str(EXAMPLE), "agents": "plant"}, "unknown option 'agents'"),
        ({"site": str(EXAMPLE), "agent": "nobody"}, "no points to the agent 'nobody'"),
        ({"site": str(EXAMPLE), "control": "c.json"}, "come together"),
        ({"site": str(EXAMPLE), "control": "c.json", "hold_at": iso(START)}, "needs a start"),
        ({"site": str(EXAMPLE), "scenario": "nowhere.yaml"}, "cannot be read"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(CaretakerError) as caught:
        SimulatedSource.from_options(options)
    assert complaint in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    "options", [{"seed": -1}, {"seed": "x"}, {"interval": "5"}, {"start": "noon"}, {"live_interval": "1ms"}]
)
def test_a_wrong_value_is_a_value_error_with_the_options_name(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        read_options({"site": str(EXAMPLE), **options})
