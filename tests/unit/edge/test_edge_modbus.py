"""Modbus registers, read from a real pymodbus server on a free port, and every way in which that can fail."""

import asyncio
import itertools
import math
import socket
import struct
import threading
import time

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from domain.errors import InputError
from domain.readings import Quality
from edge.sources.modbus import ModbusSource, Register
from edge.tables import parse_tables

NOW = 1_800_000_000_000
FLOAT = struct.unpack(">HH", struct.pack(">f", 230.5))
WORDS = {
    0: 41,
    1: 0xFFF6,
    2: 0x0001,
    3: 0x86A0,
    4: 0x86A0,
    5: 0x0001,
    6: FLOAT[0],
    7: FLOAT[1],
    8: 0x7FFF,
    9: 0x7FC0,
    10: 0,
}


class Server:
    """A Modbus TCP server in a thread of its own."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="modbus-server")

    async def _serve(self) -> None:
        values = [WORDS[address] for address in range(len(WORDS))]
        device = SimDevice(id=1, simdata=[SimData(address=0, values=values, datatype=DataType.REGISTERS)])
        self._server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        self._loop = asyncio.get_running_loop()
        await self._server.listen()
        self._ready.set()
        await self._server.serving

    def __enter__(self) -> "Server":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(10)
        self._thread.join(10)


def source(port: int, *registers: Register, timeout: int = 1000) -> ModbusSource:
    return ModbusSource("127.0.0.1", port, timeout, registers)


def register(address: int, type: str = "uint16", **more) -> Register:
    return Register(f"meter-{address}/power", "W", address, type, **more)


def test_every_type_is_read_from_a_real_server() -> None:
    with Server() as server:
        made = source(
            server.port,
            register(0, scale=0.1, offset=-2.0),
            register(1, "int16", function="input"),
            register(2, "int32"),
            register(4, "uint32", word_order="little"),
            register(6, "float32"),
            register(8, "int16", scale=0.01, invalid=(0x7FFF,)),
            register(9, "float32"),
            register(500),
        )
        made.open()
        found = made.read(NOW)
        made.close()
    assert [reading.value for reading in found[:6]] == pytest.approx([2.1, -10.0, 100_000, 100_000, 230.5, 327.67])
    assert {reading.quality for reading in found[:5]} == {Quality.GOOD}
    assert (found[5].quality, found[5].text) == (Quality.BAD, "7fff")
    assert (math.isnan(found[6].value), found[6].text) == (True, "7fc0 0000")
    assert found[7].text == "Modbus exception 2: illegal data address"
    assert {reading.time for reading in found} == {NOW}


def test_a_device_that_is_off_is_left_alone_for_a_while_and_found_again() -> None:
    server = Server()
    made = source(server.port, register(0), register(1))
    off = made.read(NOW)
    assert [reading.quality for reading in off] == [Quality.BAD, Quality.BAD]
    assert off[0].text == f"127.0.0.1:{server.port} cannot be connected"
    with server:
        assert made.read(NOW + 999)[0].text == off[0].text  # the pause of 1 s is not over
        assert made.read(NOW + 1000)[0].value == 41
        assert made.read(NOW + 1001)[0].value == 41
        made.close()


def test_the_pause_doubles_to_a_minute_and_a_clock_set_back_ends_it() -> None:
    made = source(9, register(0))
    tries: list[int] = []
    made._client = type(
        "Off", (), {"connected": False, "connect": lambda _: tries.append(now), "close": lambda _: None}
    )()
    for second in range(300):
        now = NOW + second * 1000
        made.read(now)
    gaps = [(late - early) // 1000 for early, late in itertools.pairwise(tries)]
    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    now = NOW - 10**9
    made.read(now)
    assert tries[-1] == now


def test_a_device_that_does_not_answer_costs_one_time_limit_however_many_registers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = source(silent.getsockname()[1], *(register(n) for n in range(20)), timeout=200)
        began = time.monotonic()
        found = made.read(NOW)
        assert time.monotonic() - began < 2.0
        made.close()
    assert {reading.quality for reading in found} == {Quality.BAD}
    assert len({reading.text for reading in found}) == 1
    assert found[0].text.startswith("127.0.0.1:")


def test_options_become_registers(tmp_path) -> None:
    text = """
host = "10.0.0.7"
device = 3
timeout = "500ms"
[[register]]
point = "meter-1/energy"
unit = "kWh"
address = 100
type = "uint32"
scale = 0.01
[[register]]
point = "meter-1/power"
unit = "kW"
address = 7
device = 4
function = "input"
word_order = "little"
"""
    made = ModbusSource.from_options(parse_tables(text, "edge.toml"))
    assert made._registers == (
        Register("meter-1/energy", "kWh", 100, "uint32", scale=0.01, device=3),
        Register("meter-1/power", "kW", 7, "uint16", "input", "little", device=4),
    )
    assert [(point.point, point.unit) for point in made.points()] == [
        ("meter-1/energy", "kWh"),
        ("meter-1/power", "kW"),
    ]
    assert not made.exhausted


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('host = "h"', 0, "no register"),
        ('[[register]]\npoint = "a/b"\nunit = "W"\naddress = 1', 0, "'host' is missing"),
        ('host = "h"\n[[register]]\npoint = "a/b"\nunit = "W"\naddress = 70000', 5, "65535"),
        ('host = "h"\n[[register]]\npoint = "a/b"\nunit = "W"\naddress = 1\ntype = "int61"', 6, "did you mean 'int16'"),
        ('host = "h"\n[[register]]\npoint = "a/b"\nunit = "Watt"\naddress = 1', 4, "Watt"),
        ('host = "h"\n[[register]]\npoint = "a/b"\nunit = "W"\naddress = 1\nscale = "2"', 6, "not a number"),
        ('host = "h"\n[[register]]\npoint = "a/b"\nunit = "W"\naddress = 1\ninvalid = 3', 6, "list of whole numbers"),
    ],
)
def test_wrong_options_name_their_line(text, line, words) -> None:
    with pytest.raises(InputError, match=words) as caught:
        ModbusSource.from_options(parse_tables(text, "edge.toml"))
    assert caught.value.place.line == line
