"""Reads registers of a meter or controller over Modbus TCP.

Each configured register becomes one point: value = scale * number + offset. Whatever goes wrong is a bad reading with
the reason as its text. A cycle waits for the device at most about one time limit: the first that is not kept ends it,
and a device that does not answer is left alone for a while, doubling to a minute.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from domain.readings import Quality, Reading
from domain.source import PointDescription
from domain.times import MINUTE, SECOND
from edge.tables import Table

KEYS = ("kind", "host", "port", "device", "timeout", "register")
REGISTER_KEYS = (
    "point", "unit", "address", "type", "function", "word_order", "scale", "offset", "device", "invalid",
)  # fmt: skip
FUNCTIONS = ("holding", "input")
WORD_ORDERS = ("big", "little")
# How each type's registers are packed, big end first.
_FORMATS = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}

# Modbus Application Protocol V1.1b3, section 7.
_EXCEPTIONS = {
    1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure", 5: "acknowledge",
    6: "device busy", 8: "memory parity error", 10: "gateway path unavailable", 11: "gateway: device does not answer",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Register:
    """One number in the device and the point that it becomes."""

    point: str
    unit: str
    address: int
    type: str = "uint16"
    function: str = "holding"
    word_order: str = "big"
    scale: float = 1.0
    offset: float = 0.0
    device: int = 1
    invalid: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many 16-bit registers it takes."""
        return struct.calcsize(_FORMATS[self.type]) // 2

    def decode(self, words: Sequence[int]) -> tuple[float, Quality, str]:
        """Value, quality and raw text of the registers' words."""
        ordered = list(words) if self.word_order == "big" else list(reversed(words))
        (number,) = struct.unpack(_FORMATS[self.type], struct.pack(f">{self.count}H", *ordered))
        raw = " ".join(f"{word:04x}" for word in words)
        if not math.isfinite(number):
            return math.nan, Quality.BAD, raw
        value = self.scale * number + self.offset
        return (value, Quality.BAD, raw) if number in self.invalid else (value, Quality.GOOD, "")


class ModbusSource:
    """A source that polls one Modbus TCP server."""

    def __init__(self, host: str, port: int, timeout: int, registers: Sequence[Register]) -> None:
        self._registers = tuple(registers)
        self._address = f"{host}:{port}"
        # Any: half of pymodbus' methods carry no types.
        self._client: Any = ModbusTcpClient(host, port=port, timeout=timeout / 1000, retries=0, reconnect_delay=0)
        self._pause = 0
        self._failed_at = 0
        self._reason = ""

    @classmethod
    def from_options(cls, options: Table) -> "ModbusSource":
        """The source of those options; InputError when one is wrong."""
        options.check_keys(*KEYS)
        tables = options.tables("register")
        if not tables:
            raise options.error("no register is named", "add [[source.register]] with point, unit, address and type")
        device = options.integer("device", 1, least=0, most=255)
        return cls(
            options.text("host"),
            options.integer("port", 502, least=1, most=65_535),
            options.duration("timeout", "2s", least=50),
            [_register(table, device) for table in tables],
        )

    def open(self) -> None:
        """Nothing yet: a device that is switched off is a fault to be recorded, not a wrong configuration."""

    def points(self) -> Sequence[PointDescription]:
        """One point per register."""
        return tuple(PointDescription(register.point, register.unit) for register in self._registers)

    def read(self, now: int) -> list[Reading]:
        """Every register's value, all stamped `now`."""
        if not self._may_try(now):
            return [self._bad(register, now) for register in self._registers]
        readings: list[Reading] = []
        self._reason = ""
        for register in self._registers:
            readings.append(self._bad(register, now) if self._reason else self._poll(register, now))
        if self._reason:
            self._client.close()
            self._failed_at, self._pause = now, min(max(SECOND, 2 * self._pause), MINUTE)
        else:
            self._pause = 0
        return readings

    @property
    def exhausted(self) -> bool:
        """Never: a meter goes on."""
        return False

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _may_try(self, now: int) -> bool:
        """A clock that was set back must not prolong the pause."""
        return not self._failed_at <= now < self._failed_at + self._pause

    def _poll(self, register: Register, now: int) -> Reading:
        """One register. A refusal concerns it alone; a connection that fails ends the cycle through `_reason`."""
        try:
            if not self._client.connected and not self._client.connect():
                self._reason = f"{self._address} cannot be connected"
                return self._bad(register, now)
            ask = self._client.read_input_registers
            if register.function == "holding":
                ask = self._client.read_holding_registers
            answer = ask(register.address, count=register.count, device_id=register.device)
        except (ModbusException, OSError) as error:
            self._reason = f"{self._address}: {error}"
            return self._bad(register, now)
        if answer.isError():
            code = getattr(answer, "exception_code", 0)
            return self._bad(register, now, f"Modbus exception {code}: {_EXCEPTIONS.get(code, 'unknown')}")
        if len(answer.registers) != register.count:
            return self._bad(register, now, f"{len(answer.registers)} registers came instead of {register.count}")
        return Reading(register.point, now, *register.decode(answer.registers))

    def _bad(self, register: Register, now: int, reason: str = "") -> Reading:
        return Reading(register.point, now, math.nan, Quality.BAD, reason or self._reason)


def _register(table: Table, device: int) -> Register:
    table.check_keys(*REGISTER_KEYS)
    return Register(
        point=table.point(),
        unit=table.unit("unit"),
        address=table.integer("address", least=0, most=65_535),
        type=table.word("type", tuple(_FORMATS), "uint16"),
        function=table.word("function", FUNCTIONS, "holding"),
        word_order=table.word("word_order", WORD_ORDERS, "big"),
        scale=table.number("scale", 1.0),
        offset=table.number("offset", 0.0),
        device=table.integer("device", device, least=0, most=255),
        invalid=table.integers("invalid"),
    )
