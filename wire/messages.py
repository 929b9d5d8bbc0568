"""The small messages beside the packs: receipt, birth, status and alarm, as frozen values and as JSON.

Times and intervals here are integer milliseconds, as everywhere but in SenML packs. Unknown members are ignored, so
that a newer program can say more; known ones are checked strictly. Decoding never raises: it returns the message or a
`Rejection`. No numpy here: this runs on the edge box.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

import msgspec

from domain.alarms import Alarm, AlarmState, OverlayKind, Priority, Reason
from domain.ids import is_id, parse_point
from domain.reasons import DeadReason
from domain.times import EARLIEST, LATEST
from wire.rejection import Rejection, quote
from wire.topics import LAST_SEQ

MAX_MESSAGE_BYTES = 256 * 1024
MAX_POINTS = 5_000
_LONGEST_TEXT = 1_024


class OnlineState(StrEnum):
    """Whether the agent's connection to the broker stands."""

    ONLINE = "online"
    OFFLINE = "offline"


class ClockState(StrEnum):
    """Whether the agent's clock can be believed; readings of an unsynchronised one are `uncertain`."""

    SYNCHRONISED = "synchronised"
    UNSYNCHRONISED = "unsynchronised"
    UNKNOWN = "unknown"


class Receipt(msgspec.Struct, frozen=True):
    """Everything of `boot` up to and including pack `through` is settled; 0 = nothing yet."""

    boot: str
    through: int


class Status(msgspec.Struct, frozen=True):
    """The agent's word (or its last will) about itself; an older boot's offline is ignored."""

    state: OnlineState
    boot: str


class BirthPoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """One point that the agent will publish: `asset/metric`, unit code, interval in ms, states as text -> number."""

    point: str
    unit: str
    interval: int | None = None
    states: dict[str, int] = {}


class Calibration(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sensor's last calibration: the deviation found, in the point's unit, when (UTC ms), and its certificate."""

    point: str
    deviation: float
    at: int
    certificate: str = ""


class Birth(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an agent says of itself when it connects: program version, clock, points, calibrations."""

    boot: str
    version: str
    clock: ClockState
    points: tuple[BirthPoint, ...]
    calibration: tuple[Calibration, ...] = ()


class AlarmMessage(msgspec.Struct, frozen=True):
    """An alarm as others (Home Assistant, Node-RED, wall displays) see it; times in UTC ms."""

    site: str
    rule: str
    point: str
    state: AlarmState
    active: bool
    priority: Priority | None = None
    value: float | None = None
    reason: Reason | None = None
    raised_at: int | None = None
    changed_at: int | None = None
    acknowledged_by: str = ""
    overlays: tuple[OverlayKind, ...] = ()


Message = TypeVar("Message", Receipt, Status, Birth, AlarmMessage)

_encoder = msgspec.json.Encoder()
_receipts = msgspec.json.Decoder(Receipt)
_statuses = msgspec.json.Decoder(Status)
_births = msgspec.json.Decoder(Birth)
_alarms = msgspec.json.Decoder(AlarmMessage)


def encode_receipt(receipt: Receipt) -> bytes:
    """The payload of a receipt topic."""
    return _encoder.encode(receipt)


def decode_receipt(payload: bytes) -> Receipt | Rejection:
    """The receipt, or why it is none. Whether it is of this boot and within what was published, the agent decides."""
    return _decode(_receipts, payload, _fault_of_receipt)


def encode_status(status: Status) -> bytes:
    """The payload of a status topic, and of the last will."""
    return _encoder.encode(status)


def decode_status(payload: bytes) -> Status | Rejection:
    """The status, or why it is none."""
    return _decode(_statuses, payload, lambda status: _fault_of_boot(status.boot))


def encode_birth(birth: Birth) -> bytes:
    """The payload of a birth topic."""
    return _encoder.encode(birth)


def decode_birth(payload: bytes) -> Birth | Rejection:
    """The birth, or why it is none."""
    return _decode(_births, payload, _fault_of_birth)


def alarm_message(alarm: Alarm) -> AlarmMessage:
    """The alarm as it is published."""
    return AlarmMessage(
        alarm.site,
        alarm.key.rule,
        alarm.key.point,
        alarm.state,
        alarm.active,
        alarm.priority,
        alarm.value,
        alarm.reason,
        alarm.raised_at,
        alarm.changed_at,
        alarm.acknowledged_by,
        tuple(overlay.kind for overlay in alarm.overlays),
    )


def encode_alarm(message: AlarmMessage | None) -> bytes:
    """The payload of an alarm topic; empty when the alarm is gone, which also clears the retained message."""
    return b"" if message is None else _encoder.encode(message)


def decode_alarm(payload: bytes) -> AlarmMessage | Rejection | None:
    """The alarm, None when it is gone, or why it is none."""
    return None if payload == b"" else _decode(_alarms, payload, _fault_of_alarm)


def _decode(
    decoder: msgspec.json.Decoder[Message], payload: bytes, fault_of: Callable[[Message], str]
) -> Message | Rejection:
    if len(payload) > MAX_MESSAGE_BYTES:
        return Rejection(DeadReason.TOO_LARGE, f"{len(payload)} bytes; at most {MAX_MESSAGE_BYTES} are read")
    try:
        message = decoder.decode(payload)
    except msgspec.ValidationError as error:
        return Rejection(DeadReason.BAD_MESSAGE, str(error)[:_LONGEST_TEXT])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return Rejection(DeadReason.NOT_JSON, str(error)[:_LONGEST_TEXT])
    fault = fault_of(message)
    return Rejection(DeadReason.BAD_MESSAGE, fault) if fault else message


def _fault_of_boot(boot: str) -> str:
    return "" if is_id(boot) else f"boot {quote(boot)} is not an id"


def _fault_of_receipt(receipt: Receipt) -> str:
    if not 0 <= receipt.through <= LAST_SEQ:
        return f"through is {receipt.through}; it counts from 0"
    return _fault_of_boot(receipt.boot)


def _fault_of_birth(birth: Birth) -> str:
    if len(birth.points) > MAX_POINTS or len(birth.calibration) > MAX_POINTS:
        return f"more than {MAX_POINTS} points"
    if len(birth.version) > _LONGEST_TEXT:
        return "the version is longer than any version"
    faults = (
        *(_fault_of_point(entry.point) for entry in birth.points),
        *(_fault_of_interval(entry) for entry in birth.points),
        *(_fault_of_calibration(entry) for entry in birth.calibration),
        _fault_of_boot(birth.boot),
    )
    return next(filter(None, faults), "")


def _fault_of_point(point: str) -> str:
    try:
        parse_point(point)
    except ValueError:
        return f"{quote(point)} is not a point: write asset/metric"
    return ""


def _fault_of_interval(entry: BirthPoint) -> str:
    if entry.interval is not None and entry.interval <= 0:
        return f"{entry.point}: the interval is {entry.interval} ms; leave it out for irregular points"
    return ""


def _fault_of_calibration(entry: Calibration) -> str:
    if not EARLIEST <= entry.at <= LATEST:
        return f"{quote(entry.point)}: {entry.at} is not a plausible time in epoch milliseconds (1990 to 2200)"
    return _fault_of_point(entry.point)


def _fault_of_alarm(message: AlarmMessage) -> str:
    if not is_id(message.site) or not is_id(message.rule):
        return f"{quote(message.site)} or {quote(message.rule)} is not an id"
    return _fault_of_point(message.point)
