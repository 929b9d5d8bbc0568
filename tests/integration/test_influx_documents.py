"""docs/influxdb.md holds: its queries run as Grafana would send them, and its tables name what the server has."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from caretaker.settings import load_settings
from domain.batch import Gap, batch_of
from domain.readings import Quality, Reading
from store.influx.address import InfluxAddress
from store.influx.answers import Table
from store.influx.connection import CONNECT_SECONDS, LINES_PER_WRITE, READ_SECONDS, Connection
from store.influx.lines import LONGEST_TEXT
from store.influx.store import InfluxSeriesStore
from tests.influx_server import fresh_database, influx_servers

pytestmark = pytest.mark.integration

PAGE = (Path(__file__).parents[2] / "docs" / "influxdb.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.+?)```", PAGE, re.DOTALL)
T0 = 1_767_225_600_000
HOUR = 3_600_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxAddress]:
    with influx_servers(tmp_path_factory.mktemp("influx")) as server, fresh_database(server) as fresh:
        with closing(InfluxSeriesStore(fresh, lambda _: {"fridge-1": "kitchen", "meter-1": "plant"})) as store:
            rows = [Reading("fridge-1/temperature", T0 + minute * 60_000, 4.0) for minute in range(120)]
            rows += [Reading("meter-1/energy", T0 + minute * 60_000, minute / 2) for minute in range(120)]
            rows += [Reading("fridge-1/temperature", T0 + 5, 30.0), Reading("fridge-1/temperature", T0, 31.0)]
            rows += [Reading("fridge-1/temperature", T0 + HOUR + 5, float("nan"), Quality.BAD, "E1")]
            store.append(batch_of("school", T0, rows))
            store.add_gaps("school", [Gap("kitchen", T0, T0 + HOUR, 3, "outbox_full")])
            store.purge("school", T0 + HOUR)
        yield fresh


def asked(address: InfluxAddress, query: str) -> list[Table]:
    text = query.replace("$timeFilter", f"time >= {T0}ms AND time < {T0 + 24 * HOUR}ms").replace("$__interval", "30m")
    with closing(Connection(address)) as connection:
        return connection.query(text)


def test_the_page_has_its_queries() -> None:
    assert len(QUERIES) == 6


@pytest.mark.parametrize(
    ("query", "tags", "columns", "first"),
    [
        (0, {"point": "fridge-1/temperature"}, ("mean",), (4.0,)),
        (1, {}, ("min", "max"), (4.0, 4.0)),
        (2, {"asset": "fridge-1"}, ("count",), (0,)),
        (3, {"point": "meter-1/energy"}, ("spread",), (29.5,)),
        (4, {}, ("min", "max"), (4.0, 31.0)),
        (5, {"agent": "kitchen"}, ("count", "reason"), (3, "outbox_full")),
    ],
)
def test_each_query_of_the_page_answers(
    address: InfluxAddress, query: int, tags: dict[str, str], columns: tuple[str, ...], first: tuple[object, ...]
) -> None:
    (table,) = asked(address, QUERIES[query])
    assert table.tags == tags
    assert next(table.rows(*columns)) == first


def test_every_tag_and_field_of_the_server_is_in_the_page(address: InfluxAddress) -> None:
    names = set()
    for question, column in (
        ("SHOW TAG KEYS", "tagKey"),
        ("SHOW FIELD KEYS", "fieldKey"),
        ("SHOW MEASUREMENTS", "name"),
    ):
        names |= {name for table in asked(address, question) for (name,) in table.rows(column)}
    assert {"site", "area", "asset", "point", "value", "quality", "received", "text", "asked", "was", "min"} <= names
    assert {str(name) for name in names if f"`{name}`" not in PAGE} <= {"energy", "energy.15min"}


def test_the_figures_of_the_page_are_those_of_the_program() -> None:
    assert f"batches of {LINES_PER_WRITE:,}" in PAGE
    assert f"{CONNECT_SECONDS:.0f} s to connect and {READ_SECONDS:.0f} s to answer" in PAGE
    assert f"{LONGEST_TEXT:,} bytes" in PAGE


def test_the_settings_of_the_page_can_be_loaded(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.+?)```", PAGE, re.DOTALL)
    path = tmp_path / "caretaker.toml"
    path.write_text(example)
    settings = load_settings(path)
    assert settings.stores.series.startswith("http://")
    assert settings.broker_url == "mqtt://broker.example:1883"
