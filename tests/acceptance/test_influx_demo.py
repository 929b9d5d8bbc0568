"""The whole program on a real InfluxDB, by one setting: history and live readings go there, and nowhere else."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from store.influx.address import InfluxAddress
from store.influx.connection import Connection
from store.influx.store import InfluxSeriesStore
from tests.influx_server import fresh_database, influx_servers
from tests.support import free_port

pytestmark = [pytest.mark.acceptance, pytest.mark.integration]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[InfluxAddress]:
    with influx_servers(tmp_path / "influx") as server, fresh_database(server) as fresh:
        yield fresh


def url(address: InfluxAddress) -> str:
    who = f"{address.user}:{address.token}@" if address.token else ""
    return f"http://{who}{address.host}:{address.port}/{address.database}?org={address.org or 'x'}"


def test_the_demonstration_keeps_its_readings_in_an_influxdb(address: InfluxAddress, tmp_path: Path) -> None:
    command = shutil.which("caretaker", path=str(Path(sys.executable).parent))
    assert command is not None
    settings = {"CARETAKER_BROKER__PORT": str(free_port()), "CARETAKER_STORES__SERIES": url(address)}
    done = subprocess.run(
        [command, "demo", "--days", "1", "--for", "2s", "--port", "0", "--data-dir", str(tmp_path / "data")],
        env={**os.environ, **settings}, cwd=tmp_path, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = re.search(r"([\d,]+) readings stored, 0 refused", done.stdout)
    assert said is not None, done.stdout
    assert list(tmp_path.rglob("series.sqlite")) == []
    with closing(InfluxSeriesStore(address)) as store, closing(Connection(address)) as connection:
        stored = store.count("school")
        assert stored >= int(said[1].replace(",", "")) >= 43_200  # the history; what came since may be on its way
        assert len(store.latest("school")) > 30
        (table,) = connection.query('SHOW TAG VALUES FROM "temperature" WITH KEY = "area"')
        assert {value for (value,) in table.rows("value")} >= {"north-canteen", "south-canteen"}
