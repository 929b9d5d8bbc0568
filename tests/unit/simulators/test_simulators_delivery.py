"""How readings travel: latency, loss, a cut network, a wrong clock."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from domain.catalogue import Catalogue
from domain.times import MINUTE, iso, parse_time
from simulators.delivery import LATENCY, NOBODY, Delivery
from simulators.faults import Fault, FaultKind

START = parse_time("2026-06-01T00:00:00Z")


def cut(agent: str, start: int, end: int, name: str = "cut") -> Fault:
    return Fault(name, FaultKind.NETWORK_CUT, agent, START + start * MINUTE, START + end * MINUTE)


def skew(agent: str, seconds: float, start: int, end: int, name: str = "skew") -> Fault:
    span = MappingProxyType({"seconds": seconds})
    return Fault(name, FaultKind.CLOCK_SKEW, agent, START + start * MINUTE, START + end * MINUTE, span)


def received(line: str) -> int:
    return parse_time(line.strip().rsplit(",", 1)[1])


def test_each_agent_carries_its_own_points(small: Catalogue) -> None:
    delivery = Delivery(small, 1, (), 0.0)
    names = [point.name for point in small.points()]
    assert set(delivery.columns) == {"one", "two"}
    assert {names[column].split("/")[0] for column in delivery.columns["one"]} == {"fridge", "freezer"}
    assert sum(len(columns) for columns in delivery.columns.values()) == len(names)


def test_points_that_nobody_owns_travel_together(small: Catalogue) -> None:
    orphans = tuple(
        replace(asset, points=tuple(replace(point, agent=None) for point in asset.points)) for asset in small.assets
    )
    delivery = Delivery(replace(small, assets=orphans), 1, (), 0.0)
    assert list(delivery.columns) == [NOBODY]
    assert delivery.send(NOBODY, START, ["a"]) != []


def test_a_line_arrives_a_little_later_and_in_its_agents_turn(small: Catalogue) -> None:
    delivery = Delivery(small, 1, (), 0.0)
    orders = set()
    for minute in range(50):
        time = START + minute * MINUTE
        order = delivery.in_order(time)
        orders.add(tuple(order))
        arrivals = [received(delivery.send(agent, time, ["row"])[0]) for agent in order]
        assert arrivals == sorted(arrivals)
        assert all(LATENCY[0] <= arrival - time <= LATENCY[1] for arrival in arrivals)
    assert len(orders) == 2


def test_nothing_is_lost_unless_asked_for(small: Catalogue) -> None:
    none, some = Delivery(small, 1, (), 0.0), Delivery(small, 1, (), 0.25)
    times = [START + minute * MINUTE for minute in range(200)]
    assert not any(none.lost(time).any() for time in times)
    share = sum(float(some.lost(time).mean()) for time in times) / len(times)
    assert share == pytest.approx(0.25, abs=0.03)
    assert (some.lost(START) == some.lost(START)).all()


def test_lines_wait_while_the_network_is_cut_and_come_first_afterwards(small: Catalogue) -> None:
    delivery = Delivery(small, 1, (cut("one", 1, 3),), 0.0)
    assert len(delivery.send("one", START, ["0"])) == 1
    assert delivery.send("one", START + MINUTE, ["1"]) == []
    assert delivery.send("one", START + 2 * MINUTE, ["2"]) == []
    assert len(delivery.send("two", START + 2 * MINUTE, ["other"])) == 1
    lines = delivery.send("one", START + 3 * MINUTE, ["3"])
    assert [line.split(",")[0] for line in lines] == ["1", "2", "3"]
    assert len({received(line) for line in lines}) == 1
    assert list(delivery.rest()) == []


def test_what_still_waits_comes_when_the_cut_ends(small: Catalogue) -> None:
    delivery = Delivery(small, 1, (cut("one", 1, 30), cut("two", 1, 20, "other")), 0.0)
    for minute in range(1, 4):
        for agent in ("one", "two"):
            delivery.send(agent, START + minute * MINUTE, [f"{agent}-{minute}"])
    first, second = list(delivery.rest())
    assert [line.split(",")[0] for line in first] == ["two-1", "two-2", "two-3"]
    assert {received(line) for line in first} == {START + 20 * MINUTE}
    assert {received(line) for line in second} == {START + 30 * MINUTE}
    assert list(delivery.rest()) == []


def test_a_wrong_clock_stamps_wrongly_while_it_is_wrong(small: Catalogue) -> None:
    delivery = Delivery(small, 1, (skew("one", -90.5, 1, 3), skew("one", 60.0, 2, 3, "more")), 0.0)
    assert delivery.stamped("one", START) == START
    assert iso(delivery.stamped("one", START + MINUTE)) == iso(START + MINUTE - 90_500)
    assert delivery.stamped("one", START + 2 * MINUTE) == START + 2 * MINUTE - 30_500
    assert delivery.stamped("one", START + 3 * MINUTE) == START + 3 * MINUTE
    assert delivery.stamped("two", START + MINUTE) == START + MINUTE


def test_the_faults_at_work_are_those_of_delivery(small: Catalogue) -> None:
    other = Fault("x", FaultKind.COMPRESSOR_FAILURE, "fridge", START, START + 10 * MINUTE)
    network = cut("one", 1, 3)
    delivery = Delivery(small, 1, (other, network), 0.0)
    assert delivery.acting(START) == []
    assert delivery.acting(START + MINUTE) == [network]
    assert delivery.acting(START + 3 * MINUTE) == []
