"""CSV replay and 1-Wire sensors: what becomes of every kind of row and file."""

import math
from pathlib import Path

import pytest

from domain.errors import CaretakerError, InputError
from domain.readings import Quality
from edge.sampling import Feed
from edge.sources.csv_replay import CsvReplay
from edge.sources.onewire import OneWireSource, decode_temperature, decode_w1_slave
from edge.sources.registry import build, own_kinds
from edge.tables import Table, parse_tables

NOW = 1_800_000_000_000
FIRST = 1_772_344_800_000  # 2026-03-01T06:00:00Z
ROWS = """\
time,point,value,quality
2026-03-01T06:00:00Z,fridge-1/temperature,4.1,
2026-03-01T14:00:00+08:00,fridge-1/door,0,good
1772344860000,fridge-1/temperature,,
2026-03-01T06:02:00Z,fridge-1/temperature,882.6,bad
2026-03-01T06:02:00Z,fridge-1/temperature,ERR 7,
2026-03-01T06:03:00Z,fridge-1/temperature,4.4,uncertain
"""


def options(tmp_path: Path, text: str) -> Table:
    return parse_tables(text, str(tmp_path / "edge.toml"))


def replay(tmp_path: Path, more: str = "", rows: str = ROWS) -> CsvReplay:
    (tmp_path / "rows.csv").write_text(rows, encoding="utf-8")
    source = CsvReplay.from_options(options(tmp_path, 'kind = "csv"\npath = "rows.csv"\n' + more))
    source.open()
    return source


def test_a_fast_replay_gives_everything_at_once_with_bad_rows_as_evidence(tmp_path) -> None:
    source = replay(tmp_path, 'pace = "fast"')
    assert not source.exhausted
    assert source.complete_until == FIRST
    found = list(source.read(NOW))
    assert [reading.time - FIRST for reading in found] == [0, 0, 60_000, 120_000, 120_000, 180_000]
    assert [str(reading.value) for reading in found] == ["4.1", "0.0", "nan", "882.6", "nan", "4.4"]
    assert [reading.quality for reading in found] == ["good", "good", "bad", "bad", "bad", "uncertain"]
    assert found[4].text == "ERR 7"
    assert source.exhausted
    assert list(source.read(NOW + 1)) == []


def test_a_paced_replay_gives_each_row_when_its_time_has_passed(tmp_path) -> None:
    source = replay(tmp_path)
    assert len(list(source.read(NOW))) == 2
    assert source.complete_until == FIRST + 60_000
    assert list(source.read(NOW + 59_999)) == []
    assert len(list(source.read(NOW + 120_000))) == 3
    source.close()
    assert source.exhausted


def test_from_now_moves_the_first_row_to_the_first_cycle(tmp_path) -> None:
    source = replay(tmp_path, 'times = "from_now"')
    assert [reading.time for reading in source.read(NOW)] == [NOW, NOW]
    assert source.complete_until == NOW + 60_000


def test_until_now_moves_the_last_row_to_the_first_cycle(tmp_path) -> None:
    source = replay(tmp_path, 'times = "until_now"')
    found = list(source.read(NOW))
    assert (found[0].time, found[-1].time) == (NOW - 180_000, NOW)


def test_the_points_have_the_usual_units_or_those_that_the_options_name(tmp_path) -> None:
    source = replay(tmp_path, '[units]\n"fridge-1/temperature" = "°F"')
    assert [(point.point, point.unit) for point in source.points()] == [
        ("fridge-1/temperature", "degF"),
        ("fridge-1/door", "state"),
    ]


@pytest.mark.parametrize(
    ("rows", "line", "words"),
    [
        ("", 1, "header"),
        ("when,what,value\n", 1, "header"),
        ("time,point,value,remark\n", 1, "header"),
        ("time,point,value\n", 1, "no reading"),
        ("time,point,value\n2026-03-01T06:00:00,a/b,1\n", 2, "no time zone"),
        ("time,point,value\nyesterday,a/b,1\n", 2, "neither RFC 3339"),
        ("time,point,value\n2026-03-01T06:00:00Z,fridge,1\n", 2, "not a point"),
        ("time,point,value\n2026-03-01T06:00:00Z,a/power\n", 2, "fewer than three"),
        ("time,point,value,quality\n\n2026-03-01T06:00:00Z,a/power,1,splendid\n", 3, "splendid"),
        ("time,point,value\n2026-03-01T06:01Z,a/power,1\n2026-03-01T06:00Z,a/power,1\n", 3, "sort the file"),
        ("time,point,value\n2026-03-01T06:00:00Z,a/torque,1\n", 0, 'torque = "Cel"'),
    ],
)
def test_a_mistake_in_the_file_is_found_at_the_start_with_its_line(tmp_path, rows, line, words) -> None:
    with pytest.raises(InputError, match=words) as caught:
        replay(tmp_path, rows=rows)
    assert caught.value.place.line == line


def test_files_that_cannot_be_read_are_mistakes(tmp_path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        CsvReplay.from_options(options(tmp_path, 'path = "nowhere.csv"')).open()
    (tmp_path / "rows.csv").write_bytes(b"time,point,value\n\xff\xfe\n")
    with pytest.raises(InputError, match="UTF-8"):
        CsvReplay.from_options(options(tmp_path, 'path = "rows.csv"')).open()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('times = "from_now"\npace = "fast"\npath = "x"', "readings of the future"),
        ('times = "shifted"\npath = "x"', "not known"),
        ('path = "x"\n[units]\npower = "horse"', "horse"),
        ('pth = "x"', "did you mean 'path'"),
    ],
)
def test_wrong_options_of_a_replay(tmp_path, text, words) -> None:
    with pytest.raises(InputError, match=words):
        CsvReplay.from_options(options(tmp_path, text))


YES = "4b 01 4b 46 7f ff 05 10 e1 : crc=e1 YES\n4b 01 4b 46 7f ff 05 10 e1 t={}\n"


def sensor(root: Path, name: str, file: str, content: str) -> None:
    (root / name).mkdir(parents=True, exist_ok=True)
    (root / name / file).write_text(content)


def onewire(tmp_path: Path, **sensors: str) -> OneWireSource:
    lines = [f'"{name.replace("_", "-")}" = "{point}"' for name, point in sensors.items()]
    text = 'root = "w1"\n[sensors]\n' + "\n".join(lines)
    return OneWireSource.from_options(options(tmp_path, text))


def test_sensors_as_linux_lays_them_out(tmp_path) -> None:
    root = tmp_path / "w1"
    sensor(root, "28-000000000001", "w1_slave", YES.format(20687))
    sensor(root, "28-000000000001", "temperature", "99999\n")  # both are there on newer kernels: the fuller one counts
    sensor(root, "28-000000000002", "temperature", "-18062\n")
    source = onewire(
        tmp_path, **{"28_000000000001": "fridge-1/temperature", "28_000000000002": "freezer-1/temperature"}
    )
    source.open()
    found = source.read(NOW)
    assert [(reading.point, reading.value, reading.quality, reading.time) for reading in found] == [
        ("fridge-1/temperature", 20.687, Quality.GOOD, NOW),
        ("freezer-1/temperature", -18.062, Quality.GOOD, NOW),
    ]
    assert [point.unit for point in source.points()] == ["Cel", "Cel"]
    assert not source.exhausted
    source.close()


def test_a_missing_sensor_is_a_bad_reading_and_one_that_comes_back_is_read(tmp_path) -> None:
    (tmp_path / "w1").mkdir()
    source = onewire(tmp_path, **{"28_000000000001": "fridge-1/temperature"})
    source.open()
    (reading,) = source.read(NOW)
    assert math.isnan(reading.value)
    assert (reading.quality, reading.text) == (Quality.BAD, "28-000000000001: No such file or directory")
    sensor(tmp_path / "w1", "28-000000000001", "w1_slave", YES.format(0))
    assert source.read(NOW)[0].value == 0.0


@pytest.mark.parametrize(
    ("text", "value", "quality"),
    [
        (YES.format(4000), 4.0, "good"),
        (YES.format(-62), -0.062, "good"),
        (YES.format(85000), 85.0, "bad"),
        (YES.format(-127000), -127.0, "bad"),
        (YES.format(127500), 127.5, "bad"),
        (YES.replace("YES", "NO").format(4000), math.nan, "bad"),
        ("4b 01 4b 46 7f ff 05 10 e1 : crc=e1 YES\n", math.nan, "bad"),
        ("", math.nan, "bad"),
        ("\ufffd\x00", math.nan, "bad"),
    ],
)
def test_what_w1_slave_may_hold(text, value, quality) -> None:
    found, judged, raw = decode_w1_slave(text)
    assert (str(found), judged) == (str(value), quality)
    assert bool(raw) == (quality == "bad")


def test_the_raw_text_of_a_failed_checksum_is_kept() -> None:
    raw = decode_w1_slave(YES.replace("YES", "NO").format(4000))[2]
    assert raw == "4b 01 4b 46 7f ff 05 10 e1 : crc=e1 NO | 4b 01 4b 46 7f ff 05 10 e1 t=4000"


@pytest.mark.parametrize(
    ("text", "value", "quality"),
    [("20687\n", 20.687, "good"), ("85000", 85.0, "bad"), ("", math.nan, "bad"), ("4,2", math.nan, "bad")],
)
def test_what_temperature_may_hold(text, value, quality) -> None:
    found, judged, raw = decode_temperature(text)
    assert (str(found), judged) == (str(value), quality)
    assert bool(raw) == (quality == "bad")


def test_without_the_driver_the_agent_says_how_to_load_it(tmp_path) -> None:
    with pytest.raises(CaretakerError, match="dtoverlay=w1-gpio"):
        onewire(tmp_path, **{"28_000000000001": "a/b"}).open()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no sensor is named"),
        ('[sensors]\nfridge = "a/b"', "not a sensor's id"),
        ('[sensors]\n"28-000000000001" = "fridge"', "not a point"),
        ('rooot = "x"', "did you mean 'root'"),
    ],
)
def test_wrong_options_of_sensors(tmp_path, text, words) -> None:
    with pytest.raises(InputError, match=words):
        OneWireSource.from_options(options(tmp_path, text))


def test_the_registry_makes_its_own_kinds_and_those_it_is_handed(tmp_path) -> None:
    assert own_kinds() == ("csv", "onewire", "modbus")
    table = options(tmp_path, 'kind = "simulated"\nseed = 7')
    handed = []

    def factory(plain) -> CsvReplay:
        handed.append(plain)
        return replay(tmp_path)

    feed = build("simulated", table, {"simulated": factory})
    assert isinstance(feed, Feed)
    assert not feed.stamped
    assert handed == [{"seed": 7}]


def test_an_unknown_kind_and_a_factory_that_refuses_are_mistakes_with_a_place(tmp_path) -> None:
    table = options(tmp_path, '\nkind = "onewre"')
    with pytest.raises(InputError, match=r"edge\.toml:2: .*\n.*did you mean 'onewire'"):
        build("onewre", table, {})

    def refuses(plain) -> CsvReplay:
        raise ValueError("seed is missing")

    with pytest.raises(InputError, match="simulated source: seed is missing"):
        build("simulated", table, {"simulated": refuses})

    def refuses_politely(plain) -> CsvReplay:
        raise CaretakerError("no such site", "name one")

    with pytest.raises(InputError, match="no such site"):
        build("simulated", table, {"simulated": refuses_politely})
