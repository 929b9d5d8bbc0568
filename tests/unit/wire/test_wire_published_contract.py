"""docs/schemas and docs/golden are the contract in files: they agree with each other and with the program."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from domain.alarms import Alarm, AlarmKey, AlarmState, OverlayKind, Priority, Reason
from domain.catalogue import Point
from domain.readings import Quality, Reading
from domain.units import UNITS
from wire.decode import DecodedPack, decode_pack
from wire.messages import (
    Birth,
    BirthPoint,
    Calibration,
    ClockState,
    OnlineState,
    Receipt,
    Status,
    alarm_message,
    decode_alarm,
    decode_birth,
    decode_receipt,
    decode_status,
    encode_alarm,
    encode_birth,
    encode_receipt,
    encode_status,
)
from wire.rejection import Rejection
from wire.senml import MAX_PACK_BYTES, MAX_RECORDS, GapRecord, encode_pack
from wire.topics import Topic, parse_topic

DOCS = Path(__file__).parents[3] / "docs"
GOLDEN = sorted((DOCS / "golden").glob("*.json"))
KINDS = ("alarm", "birth", "pack", "receipt", "status")
NOON = 1_780_000_000_000
NAN = float("nan")
POINTS = {
    "fridge-1/temperature": Point("fridge-1", "temperature", UNITS["Cel"]),
    "fridge-1/door": Point("fridge-1", "door", UNITS["state"], states={"closed": 0, "open": 1}),
    "boiler-1/status": Point("boiler-1", "status", UNITS["state"], states={"off": 0, "run": 1, "fault": 2}),
}
CODES = {name: point.unit.code for name, point in POINTS.items()}
GAP = GapRecord(NOON - 3_600_000, NOON - 60_500, 59, "outbox_full", ("fridge-1/temperature",))


def packed(*readings: Reading, gaps: tuple[GapRecord, ...] = ()) -> bytes:
    return encode_pack(readings, units=CODES, sent=NOON + 120_250, upto=NOON + 120_000, low=7, gaps=gaps)


# What the program writes today for the golden files that it is the author of.
WRITTEN = {
    "pack.minute.json": packed(
        Reading("fridge-1/temperature", NOON + 60_000, 4.25),
        Reading("fridge-1/door", NOON + 60_000, 0.0, text="closed"),
        Reading("boiler-1/status", NOON + 60_500, 1.0, text="run"),
        Reading("fridge-1/temperature", NOON + 120_000, 4.3125, Quality.UNCERTAIN),
    ),
    "pack.idle.json": packed(),
    "pack.gap.json": packed(Reading("fridge-1/temperature", NOON, 4.25), gaps=(GAP,)),
    "pack.sensor-fault.json": packed(
        Reading("fridge-1/temperature", NOON, 85.0, Quality.BAD, "85 power-on reset"),
        Reading("fridge-1/temperature", NOON + 60_000, NAN, Quality.BAD, "crc error"),
    ),
    "receipt.json": encode_receipt(Receipt("b7f3c2", 41)),
    "status.online.json": encode_status(Status(OnlineState.ONLINE, "b7f3c2")),
    "status.offline.json": encode_status(Status(OnlineState.OFFLINE, "b7f3c2")),
    "birth.json": encode_birth(
        Birth(
            "b7f3c2",
            "0.1.0",
            ClockState.SYNCHRONISED,
            (
                BirthPoint("fridge-1/temperature", "Cel", 60_000),
                BirthPoint("boiler-1/status", "state", None, {"off": 0, "run": 1, "fault": 2}),
            ),
            (Calibration("fridge-1/temperature", -0.2, NOON - 86_400_000, "K-17"),),
        )
    ),
    "alarm.json": encode_alarm(
        alarm_message(
            Alarm(
                "school",
                AlarmKey("cold-storage-high", "fridge-1/temperature"),
                AlarmState.UNACKNOWLEDGED,
                Priority.HIGH,
                0,
                9.25,
                Reason.ABOVE_LIMIT,
                raised_at=NOON,
                changed_at=NOON,
            )
        )
    ),
}


def schema(kind: str) -> Any:
    return json.loads((DOCS / "schemas" / f"{kind}.json").read_text(encoding="utf-8"))


def validator(kind: str) -> Any:
    return jsonschema.Draft202012Validator(schema(kind))


def decode(kind: str, payload: bytes) -> object:
    if kind == "pack":
        return decode_pack(payload, site="school", received=NOON, points=POINTS, sequenced=False)
    return {"receipt": decode_receipt, "status": decode_status, "birth": decode_birth, "alarm": decode_alarm}[kind](
        payload
    )


def test_every_message_has_a_schema_and_every_schema_is_one() -> None:
    assert tuple(sorted(path.stem for path in (DOCS / "schemas").glob("*.json"))) == KINDS
    for kind in KINDS:
        jsonschema.Draft202012Validator.check_schema(schema(kind))


def test_every_message_has_a_golden_payload() -> None:
    assert {path.name.split(".")[0] for path in GOLDEN} == set(KINDS)
    assert set(WRITTEN) <= {path.name for path in GOLDEN}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_a_golden_payload_fits_its_schema_and_is_taken_whole(path: Path) -> None:
    kind = path.name.split(".")[0]
    validator(kind).validate(json.loads(path.read_text(encoding="utf-8")))
    taken = decode(kind, path.read_bytes())
    assert taken is not None
    assert not isinstance(taken, Rejection)
    if isinstance(taken, DecodedPack):
        assert taken.rejected == ()
        assert len(taken) + len(taken.gaps) > 0 or taken.upto is not None


@pytest.mark.parametrize("name", WRITTEN)
def test_the_program_still_writes_the_golden_payloads(name: str) -> None:
    """A change here is a change of the contract: readers in the field have to be thought of first."""
    golden = json.loads((DOCS / "golden" / name).read_text(encoding="utf-8"))
    assert json.loads(WRITTEN[name]) == golden


WRONG: list[tuple[str, object]] = [
    ("pack", {}),
    ("pack", [1]),
    ("pack", [{"bn": 5}]),
    ("pack", [{"bver": 11}]),
    ("pack", [{"must_": 1}]),
    ("pack", [{"n": "a/b", "v": 1}] * (MAX_RECORDS + 1)),
    ("receipt", {"boot": "b"}),
    ("receipt", {"boot": "B", "through": 1}),
    ("receipt", {"boot": "b", "through": -1}),
    ("status", {"state": "asleep", "boot": "b"}),
    ("birth", {"boot": "b", "version": "1", "clock": "right", "points": []}),
    ("birth", {"boot": "b", "version": "1", "clock": "unknown", "points": [{"point": "a", "unit": "W"}]}),
    ("alarm", {"site": "s", "rule": "r", "point": "a/b", "state": "loud", "active": True}),
]


@pytest.mark.parametrize(("kind", "document"), WRONG)
def test_what_the_schema_refuses_the_program_refuses(kind: str, document: object) -> None:
    assert not validator(kind).is_valid(document)
    assert isinstance(decode(kind, json.dumps(document).encode()), Rejection)


@pytest.mark.parametrize(
    "record",
    [
        {"v": "4"},
        {"v": 1e19},
        {"v": 1, "q": "fine"},
        {"v": 1, "vb": True},
        {"vs": "x" * 1_025},
        {"gap": {"from": 1, "to": 2, "count": 1, "reason": "x"}},
        {"t": "now", "v": 1},
    ],
)
def test_a_record_that_the_schema_refuses_the_program_refuses_alone(record: dict[str, object]) -> None:
    document = [{"n": "fridge-1/temperature", "v": 1}, {"n": "fridge-1/temperature", **record}]
    assert not validator("pack").is_valid(document)
    pack = decode("pack", json.dumps(document).encode())
    assert isinstance(pack, DecodedPack)
    assert ([refused.index for refused in pack.rejected], len(pack)) == ([1], 1)


PAGE = (DOCS / "wire.md").read_text(encoding="utf-8")


def test_the_pages_topics_are_the_programs() -> None:
    concrete = {"{site}": "school", "{agent}": "canteen", "{boot}": "b7f3c2", "{seq}": "1", "{rule}": "cold-high",
                "{asset}": "fridge-1", "{metric}": "temperature"}  # fmt: skip
    topics = re.findall(r"`(caretaker/1/[^`]*)`", PAGE)
    assert len(topics) >= 6
    for topic in topics:
        for name, value in concrete.items():
            topic = topic.replace(name, value)
        assert isinstance(parse_topic(topic), Topic), topic


def test_the_pages_commands_publish_what_is_taken() -> None:
    commands = [line for line in PAGE.replace("\\\n", " ").splitlines() if line.startswith("mosquitto_pub")]
    assert commands
    for command in commands:
        words = shlex.split(command)
        assert isinstance(parse_topic(words[words.index("-t") + 1]), Topic)
        pack = decode("pack", words[words.index("-m") + 1].encode())
        assert isinstance(pack, DecodedPack)
        assert (len(pack), pack.rejected) == (len(pack.names), ())


def test_the_pages_json_is_taken() -> None:
    blocks = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        validator("pack").validate(json.loads(block))
        pack = decode("pack", block.encode())
        assert isinstance(pack, DecodedPack)
        assert pack.rejected == ()


def test_the_pages_bounds_are_the_programs() -> None:
    assert f"{MAX_PACK_BYTES // 1024} KiB" in PAGE
    assert f"{MAX_RECORDS:,} records" in PAGE
    for word in re.findall(r"docs/(?:schemas|golden)/[\w.-]+", PAGE):
        assert (DOCS.parent / word).exists(), word


def test_every_reason_for_refusing_a_pack_is_on_the_page() -> None:
    for reason in ("bad_topic", "too_large", "not_json", "not_senml", "too_many_records", "bad_name", "bad_time",
                   "bad_value", "bad_unit", "bad_message"):  # fmt: skip
        assert f"`{reason}`" in PAGE


def test_every_overlay_and_state_is_in_the_schema_of_the_alarm() -> None:
    properties = schema("alarm")["properties"]
    assert set(properties["state"]["enum"]) == set(AlarmState)
    assert set(properties["overlays"]["items"]["enum"]) == set(OverlayKind)
    assert set(properties["priority"]["enum"]) == {*Priority, None}
    assert set(properties["reason"]["enum"]) == {*Reason, None}
