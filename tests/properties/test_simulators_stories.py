"""For any seed and any way of asking: one story, in order, whose meters never run backwards."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.catalogue_file import load_catalogue
from domain.times import HOUR, MINUTE, iso, parse_time
from simulators.randomness import keys_of, noise, uniform
from simulators.simulation import Simulation
from simulators.source import SimulatedSource

EXAMPLE = Path(__file__).parents[2] / "examples" / "school" / "site.yaml"
CATALOGUE = load_catalogue(EXAMPLE.read_text(encoding="utf-8"), "site.yaml")
START = parse_time("2026-03-02T01:00:00Z")
END = START + 15 * MINUTE


def story(cuts: list[int], seed: int) -> list[str]:
    source = SimulatedSource.from_options(
        {"site": str(EXAMPLE), "seed": seed, "start": iso(START), "history": "10min", "live_interval": "7s"}
    )
    return [str(reading) for now in (*cuts, END) for reading in source.read(now)]


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(START, END), max_size=8), seed=st.integers(0, 50))
def test_cutting_a_source_into_reads_changes_nothing(cuts: list[int], seed: int) -> None:
    assert story(sorted(cuts), seed) == story([], seed)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), hour=st.integers(0, 24 * 365))
def test_meters_add_up_and_temperatures_stay_on_this_planet(seed: int, hour: int) -> None:
    simulation = Simulation(CATALOGUE, seed, parse_time("2026-01-01T00:00:00Z") + hour * HOUR, ())
    names = [point.name for point in simulation.sensors.points]
    first = simulation.show(simulation.state.time).value
    last = simulation.show(simulation.state.time + HOUR).value
    for name, before, after in zip(names, first, last, strict=True):
        if name.endswith("/energy"):
            assert after >= before
        if name.endswith("temperature") and after == after:
            assert -40.0 < after < 95.0
    power = dict(zip(names, last, strict=True))
    assert power["main-meter/power"] + 1.0 >= power["north-board/power"] + power["south-board/power"]
    assert 198.0 <= power["main-meter/voltage"] <= 235.4


@given(seed=st.integers(0, 2**40), time=st.integers(-(2**52), 2**52), name=st.text(max_size=20))
def test_noise_is_bounded_and_hangs_on_nothing_but_its_key(seed: int, time: int, name: str) -> None:
    keys = keys_of(seed, [name, "another"])
    assert (noise(keys, time) == noise(keys, time)).all()
    assert ((noise(keys, time) >= -1.0) & (noise(keys, time) < 1.0)).all()
    assert ((uniform(keys, time) >= 0.0) & (uniform(keys, time) < 1.0)).all()
    assert noise(keys[:1], time)[0] == noise(keys, time)[0]


def test_noise_has_no_bias_and_no_echo() -> None:
    keys = keys_of(1, [f"point {number}" for number in range(400)])
    values = [noise(keys, time) for time in range(0, 60_000 * 50, 60_000)]
    mean = sum(float(each.mean()) for each in values) / len(values)
    assert abs(mean) < 0.02
    echo = sum(float((a * b).mean()) for a, b in pairwise(values)) / len(values)
    assert abs(echo) < 0.01
