"""The agent's TOML file: what is accepted, and that each mistake names file, line and remedy."""

from pathlib import Path

import pytest

from domain.errors import InputError
from edge.config import AgentConfig, Broker, load_config, parse_config

GOOD = """\
site = "hillside"
agent = "kitchen-pi"
broker = "mqtt://broker.local"
data_dir = "data"

[[source]]
kind = "onewire"
[source.sensors]
"28-0316a2795abc" = "fridge-1/temperature"
"""


def config(tmp_path: Path, text: str) -> AgentConfig:
    path = tmp_path / "edge.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_what_is_left_out_has_a_default(tmp_path) -> None:
    found = config(tmp_path, GOOD)
    assert (found.site, found.agent) == ("hillside", "kitchen-pi")
    assert found.broker == Broker("broker.local", 1883)
    assert found.data_dir == tmp_path / "data"
    assert (found.sample_interval, found.outbox_bytes, found.outbox_age) == (10_000, 200_000_000, 30 * 86_400_000)
    assert (found.trust_clock, found.produced_log) == (False, None)
    assert [kind for kind, _ in found.sources] == ["onewire"]


def test_everything_can_be_set(tmp_path) -> None:
    extra = """
sample_interval = "1min30s"
trust_clock = true
produced_log = "produced.jsonl"
[outbox]
max_bytes = "64MiB"
max_age = "7d"
"""
    head, tail = GOOD.split("\n[[source]]")
    found = config(tmp_path, head + extra + "[[source]]" + tail)
    assert (found.sample_interval, found.outbox_bytes, found.outbox_age) == (90_000, 64 << 20, 7 * 86_400_000)
    assert found.trust_clock
    assert found.produced_log == tmp_path / "produced.jsonl"


@pytest.mark.parametrize(
    ("address", "broker"),
    [
        ("mqtt://h:2000", Broker("h", 2000)),
        ("mqtts://h", Broker("h", 8883, tls=True)),
        ("mqtt://u:p%40ss@h", Broker("h", 1883, user="u", password="p@ss")),
        ("mqtt://[::1]:1884", Broker("::1", 1884)),
    ],
)
def test_broker_addresses(tmp_path, address, broker) -> None:
    assert config(tmp_path, GOOD.replace("mqtt://broker.local", address)).broker == broker


def test_the_password_may_stand_in_a_file_of_its_own_and_is_never_shown(tmp_path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    text = 'password_file = "secret"\n' + GOOD.replace("mqtt://broker", "mqtt://kitchen@broker")
    broker = config(tmp_path, text).broker
    assert (broker.user, broker.password) == ("kitchen", "s3cret")
    assert "s3cret" not in repr(broker)


@pytest.mark.parametrize(
    ("wrong", "right", "line", "words"),
    [
        ('site = "hillside"', 'site = "Hill Side"', 1, ["site", "hill-side"]),
        ('site = "hillside"\n', "", 0, ["'site' is missing", 'site = "…"']),
        ("agent =", "agnet =", 2, ["unknown key 'agnet'", "did you mean 'agent'"]),
        ("mqtt://broker.local", "http://broker.local", 3, ["not an address", "mqtt://host:1883"]),
        ("mqtt://broker.local", "mqtt://broker.local:http", 3, ["broker"]),
        ("mqtt://broker.local", "mqtt://", 3, ["not an address"]),
        ('data_dir = "data"', "data_dir = 7", 4, ["data_dir = 7 is not a text"]),
        ('data_dir = "data"', 'data_dir = ""', 4, ["not a text"]),
        ("[[source]]", "sample_interval = 10\n[[source]]", 6, ["sample_interval", "10s"]),
        ("[[source]]", 'sample_interval = "1ms"\n[[source]]', 6, ["too short", "100 ms"]),
        ("[[source]]", 'trust_clock = "yes"\n[[source]]', 6, ["neither true nor false"]),
        ("[[source]]", '[outbox]\nmax_bytes = "a lot"\n[[source]]', 7, ["not a size", "200MB"]),
        ("[[source]]", "[outbox]\nmax_bytes = 10\n[[source]]", 7, ["too small"]),
        ("[[source]]", '[outbox]\nmax_bites = "1GB"\n[[source]]', 7, ["did you mean 'max_bytes'"]),
        ("[[source]]", 'password_file = "nowhere"\n[[source]]', 6, ["password file"]),
        ("[[source]]", "[source]", 6, ["[[source]]"]),
        ('kind = "onewire"', "", 6, ["'kind' is missing"]),
        ('"hillside"', '"hillside', 1, ["not TOML"]),
        ('"28-0316a2795abc" =', '"28-0316a2795abc"', 9, ["not TOML"]),
    ],
)
def test_each_mistake_names_file_line_and_remedy(tmp_path, wrong, right, line, words) -> None:
    assert wrong in GOOD
    with pytest.raises(InputError) as caught:
        config(tmp_path, GOOD.replace(wrong, right))
    assert caught.value.place.file == str(tmp_path / "edge.toml")
    assert caught.value.place.line == line
    for word in words:
        assert word in str(caught.value)


def test_a_password_in_a_wrong_address_is_not_repeated(tmp_path) -> None:
    with pytest.raises(InputError) as caught:
        config(tmp_path, GOOD.replace("mqtt://broker.local", "mqtt://u:hush@broker/path"))
    assert "hush" not in str(caught.value)


def test_no_source_is_a_mistake(tmp_path) -> None:
    with pytest.raises(InputError, match="no source"):
        config(tmp_path, GOOD.split("[[source]]")[0])


def test_an_empty_password_file_and_a_password_without_a_user_are_mistakes(tmp_path) -> None:
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(InputError, match="empty"):
        config(tmp_path, 'password_file = "secret"\n' + GOOD)
    (tmp_path / "secret").write_text("x")
    with pytest.raises(InputError, match="without a user"):
        config(tmp_path, 'password_file = "secret"\n' + GOOD)


def test_a_missing_file_and_one_in_another_encoding_are_mistakes(tmp_path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        load_config(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b'# eins\nsite = "sch\xfcle"\n')
    with pytest.raises(InputError, match=r"latin\.toml:2: it is not UTF-8"):
        load_config(tmp_path / "latin.toml")


def test_an_empty_file_says_what_to_begin_with() -> None:
    with pytest.raises(InputError, match="'site' is missing"):
        parse_config("", "edge.toml")
