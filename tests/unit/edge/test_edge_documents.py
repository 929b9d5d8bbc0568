"""The page of the edge is complete, and its examples work."""

import importlib.util
import json
import re
import sys
import types
from pathlib import Path

import pytest

from domain.readings import Quality
from edge import config, run
from edge.outbox import GapReason
from edge.sources import csv_replay, modbus, onewire
from edge.sources.registry import own_kinds
from edge.tables import parse_tables
from wire.decode import DecodedPack, decode_pack

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "edge.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples" / "edge").glob("*.toml"))
KEYS = {
    *config.KEYS, *config.OUTBOX_KEYS, *csv_replay.KEYS, *onewire.KEYS, *modbus.KEYS, *modbus.REGISTER_KEYS,
}  # fmt: skip
WORDS = {*own_kinds(), *modbus.FUNCTIONS, *modbus.WORD_ORDERS, *csv_replay.TIMES, *csv_replay.PACES, *GapReason}


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_key_stands_on_the_page(key) -> None:
    assert re.search(rf"[`.\[]{key}[`\]]", PAGE), key


@pytest.mark.parametrize("word", sorted(WORDS))
def test_every_word_a_key_may_have_stands_on_the_page(word) -> None:
    assert re.search(rf'[`"]{word}[`"]', PAGE), word


def test_every_example_is_named_on_the_page() -> None:
    assert len(EXAMPLES) == 3
    for path in EXAMPLES:
        assert f"examples/edge/{path.name}" in PAGE


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_loads_and_its_sources_can_be_made(path) -> None:
    found = config.load_config(path)
    assert run.make_sampler(found, {}).points() or found.sources[0][0] == "csv"


def test_the_replay_example_can_be_opened() -> None:
    (found,) = (config.load_config(path) for path in EXAMPLES if path.stem == "csv-replay")
    assert run.check(Path(ROOT / "examples/edge/csv-replay.toml"), {}).agent == found.agent


def test_the_defaults_on_the_page_are_those_of_the_program(tmp_path) -> None:
    text = 'site = "s"\nagent = "a"\nbroker = "mqtt://h"\ndata_dir = "d"\n[[source]]\nkind = "csv"\n'
    found = config.parse_config(text, str(tmp_path / "edge.toml"))
    defaults = dict(re.findall(r'^\| (?:`\[outbox\]` )?`(\w+)` \| `"(\w+)"` \|', PAGE, re.MULTILINE))
    table = parse_tables("\n".join(f'{key} = "{value}"' for key, value in defaults.items()), "page")
    assert found.sample_interval == table.duration("sample_interval")
    assert found.outbox_age == table.duration("max_age")
    assert found.outbox_bytes == table.size("max_bytes", "1B", least=1)


def test_the_pack_of_the_esp32_is_one_that_ingest_takes(monkeypatch) -> None:
    for name in ("ds18x20", "machine", "network", "ntptime", "onewire", "umqtt", "umqtt.simple"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["umqtt.simple"].MQTTClient = None
    spec = importlib.util.spec_from_file_location("esp32_main", ROOT / "examples" / "esp32" / "main.py")
    sketch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sketch)
    now = 1_700_000_000_000
    for value, moment, quality in ((4.5, now // 1000, Quality.GOOD), (4.5, 0, Quality.GOOD), (85.0, 0, Quality.BAD)):
        payload = sketch.pack(value, moment).encode()
        pack = decode_pack(payload, site="hillside", received=now, points={}, sequenced=False)
        assert isinstance(pack, DecodedPack)
        assert len(pack) == 1
        assert json.loads(payload)[0].get("q", "good") == quality
