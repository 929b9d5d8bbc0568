"""A real InfluxDB for the tests: a running one that a variable names, one in a container, or Debian's as a child.

`CARETAKER_TEST_INFLUXDB_URL` (with `…_TOKEN` and `…_ORG`) names a running server and someone who may make databases
or buckets. Else, where a Docker engine answers and the image (`CARETAKER_TEST_INFLUXDB_IMAGE`, default `influxdb:2.7`)
is already there, testcontainers starts it, whatever version it serves. Else Debian's `influxd` is started on free
ports.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import msgspec
import urllib3

from store.influx.address import InfluxAddress, parse_address
from tests.containers import container, engine_has
from tests.support import free_port, needs, wait_until

IMAGE = os.environ.get("CARETAKER_TEST_INFLUXDB_IMAGE", "influxdb:2.7")
_numbers = count(1)


class Influxd:
    """Debian's `influxd` on free ports with everything under `folder`; can be killed and started again."""

    def __init__(self, folder: Path, program: str, settings: str = "") -> None:
        self.folder, self._program = folder, program
        self.port, self._rpc = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "influxd.conf").write_text(self._configuration(settings), encoding="utf-8")

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "influxd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-config", str(self.folder / "influxd.conf")], stdout=log, stderr=log
            )
        wait_until(lambda: answers(self.address("any")), 30, f"influxd answers; see {self.folder}/influxd.log")

    def kill(self) -> None:
        """SIGKILL, as a power cut would do."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM and wait; harmless when it does not run."""
        self._end(signal.SIGTERM)

    def address(self, database: str) -> InfluxAddress:
        return InfluxAddress("http", "127.0.0.1", self.port, database)

    def _end(self, sign: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(sign)
            self._process.wait(20)
            self._process = None

    def _configuration(self, settings: str) -> str:
        return f"""
reporting-disabled = true
bind-address = "127.0.0.1:{self._rpc}"
[meta]
  dir = "{self.folder}/meta"
[data]
  dir = "{self.folder}/data"
  wal-dir = "{self.folder}/wal"
  index-version = "tsi1"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{self.port}"
  log-enabled = false
{settings}
"""


@contextmanager
def influx_servers(folder: Path) -> Iterator[InfluxAddress]:
    """The server that tests run against, as an address whose database is to be replaced by a fresh one."""
    url = os.environ.get("CARETAKER_TEST_INFLUXDB_URL")
    if url:
        yield _from_environment(url)
    elif engine_has(IMAGE):
        with _container(IMAGE) as address:
            yield address
    else:
        server = Influxd(folder, needs("influxd", "influxdb"))
        server.start()
        try:
            yield server.address("unused")
        finally:
            server.stop()


@contextmanager
def fresh_database(server: InfluxAddress) -> Iterator[InfluxAddress]:
    """A database (1.x, 3) or bucket (2.x) of its own on the server, dropped in the end."""
    address = InfluxAddress(
        server.scheme, server.host, server.port, f"caretaker_test_{os.getpid()}_{next(_numbers)}",
        server.user, server.token, server.org,
    )  # fmt: skip
    major = major_version(address)
    bucket = _make_bucket(address) if major == 2 else ""
    yield address
    if major == 1:
        _call(address, "POST", "/query?" + urlencode({"q": f'DROP DATABASE "{address.database}"'}))
    elif major == 2:
        _call(address, "DELETE", f"/api/v2/buckets/{bucket}")
    else:
        _call(address, "DELETE", "/api/v3/configure/database?" + urlencode({"db": address.database}))


def major_version(address: InfluxAddress) -> int:
    """1, 2 or 3."""
    return int(_version(address).removeprefix("v").split(".")[0])


def answers(address: InfluxAddress) -> bool:
    """Whether an InfluxDB answers there."""
    with suppress(urllib3.exceptions.HTTPError):
        return bool(_version(address))
    return False


def _from_environment(url: str) -> InfluxAddress:
    parts = urlsplit(url)
    if parts.path.strip("/"):
        return parse_address(url)
    token, org = os.environ.get("CARETAKER_TEST_INFLUXDB_TOKEN", ""), os.environ.get("CARETAKER_TEST_INFLUXDB_ORG", "")
    return InfluxAddress(
        parts.scheme, parts.hostname or "", parts.port or 8086, "unused", parts.username or "",
        token or parts.password or "", org,
    )  # fmt: skip


@contextmanager
def _container(image: str) -> Iterator[InfluxAddress]:
    """The image's server as 2.x is set up; a 1.x takes the token as that user's password, or asks nobody for one."""
    user, token, org = "caretaker", "caretaker-test-token", "school"
    environment = {
        "DOCKER_INFLUXDB_INIT_MODE": "setup", "DOCKER_INFLUXDB_INIT_USERNAME": user,
        "DOCKER_INFLUXDB_INIT_PASSWORD": "caretaker-test", "DOCKER_INFLUXDB_INIT_ORG": org,
        "DOCKER_INFLUXDB_INIT_BUCKET": "unused", "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN": token,
    }  # fmt: skip
    with container(image, 8086, environment) as (host, port):
        address = InfluxAddress("http", host, port, "unused", user, token, org)
        wait_until(lambda: answers(address), 60, f"the container of {image} answers")
        yield address


def _version(address: InfluxAddress) -> str:
    return _call(address, "GET", "/ping").headers.get("X-Influxdb-Version", "")


def _make_bucket(address: InfluxAddress) -> str:
    orgs = msgspec.json.decode(_call(address, "GET", "/api/v2/orgs?" + urlencode({"org": address.org})).data)
    body = {"orgID": orgs["orgs"][0]["id"], "name": address.database, "retentionRules": []}
    made = _call(address, "POST", "/api/v2/buckets", msgspec.json.encode(body))
    return str(msgspec.json.decode(made.data)["id"])


def _call(address: InfluxAddress, method: str, path: str, body: bytes | None = None) -> urllib3.BaseHTTPResponse:
    headers = {"Content-Type": "application/json"}
    if address.token and path.startswith("/api/v2"):
        headers["Authorization"] = f"Token {address.token}"
    elif address.token:
        headers |= urllib3.make_headers(basic_auth=f"{address.user or 'caretaker'}:{address.token}")
    return urllib3.request(method, address.base + path, body=body, headers=headers, retries=False, timeout=10)
