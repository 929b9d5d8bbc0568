"""Fixtures of the benchmarks: the load that `caretaker bench` sends, as ingest receives it."""

from collections.abc import Callable

import pytest

from caretaker.bench import site
from caretaker.bench.packets import Load
from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from ingest.inbox import Inbound
from wire.topics import parse_topic

T0 = 1_760_000_000_000
POINTS, PER_AGENT = 1_200, 60


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(site.catalogue_text(POINTS, PER_AGENT), "site.yaml")


@pytest.fixture(scope="session")
def messages() -> Callable[[int, int], list[Inbound]]:
    """`count` messages of so many readings each, one of every agent in turn, a millisecond between two turns."""

    def make(count: int, readings: int) -> list[Inbound]:
        load = Load(site.SITE, "b1", POINTS // PER_AGENT, PER_AGENT, readings)
        return [_inbound(load.message(index, 1, T0 + index // load.agents, T0 + index)) for index in range(count)]

    return make


def _inbound(packet: bytes) -> Inbound:
    head = 1
    while packet[head] & 0x80:
        head += 1
    length = int.from_bytes(packet[head + 1 : head + 3], "big")
    topic = packet[head + 3 : head + 3 + length].decode()
    payload = packet[head + 5 + length :]
    return Inbound(topic, parse_topic(topic), payload, len(payload))
