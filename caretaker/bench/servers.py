"""The servers that a measurement needs, as child processes on free ports: Debian's Mosquitto and InfluxDB.

Decides their configuration. Mosquitto's default queue of 1,000 messages would drop QoS 1 messages while a consumer is a
tenth of a second behind, so both bounds are raised: the figures are those of consumers, not of a broker that drops.
"""

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from caretaker.bench.children import Child
from caretaker.bench.machine import program
from domain.errors import CaretakerError

START_SECONDS = 30.0
MAX_INFLIGHT = 1_000
MAX_QUEUED = 5_000_000


def free_port() -> int:
    """A port that nobody listens on at the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(condition: Callable[[], bool], seconds: float, what: str, *children: Child, every: float = 0.1) -> None:
    """Look each `every` seconds until it is so. CaretakerError when it does not come, or one of `children` fails."""
    until = time.monotonic() + seconds
    while not condition():
        for child in children:
            child.check()
        if time.monotonic() > until:
            raise CaretakerError(
                f"the benchmark waited {seconds:.0f} s in vain: {what}", "is the machine busy? try again"
            )
        time.sleep(every)


@contextmanager
def mosquitto(folder: Path, core: int) -> Iterator[int]:
    """A broker on the loopback address; its port."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "mosquitto.conf"
    configuration.write_text(mosquitto_configuration(port))
    with Child([program("mosquitto"), "-c", str(configuration)], core, folder / "mosquitto.log") as child:
        wait_for(lambda: listens(port), START_SECONDS, "Mosquitto listens", child)
        yield port


def mosquitto_configuration(port: int) -> str:
    """Stock, but for the bounds of its queues. `user root`: keep the rights it was started with."""
    return f"""listener {port} 127.0.0.1
allow_anonymous true
persistence false
user root
max_inflight_messages {MAX_INFLIGHT}
max_queued_messages {MAX_QUEUED}
max_queued_bytes 0
log_type error
"""


@contextmanager
def influxdb(folder: Path, core: int) -> Iterator[int]:
    """An InfluxDB 1.x on the loopback address with one database `bench`; its port."""
    port, other = free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "influxd.conf"
    configuration.write_text(influxdb_configuration(folder, port, other))
    with Child([program("influxd"), "-config", str(configuration)], core, folder / "influxd.log") as child:
        wait_for(lambda: _pings(port), START_SECONDS, "InfluxDB answers", child)
        make_database(port, "bench")
        yield port


def influxdb_configuration(folder: Path, port: int, other: int) -> str:
    """Stock, but for paths, ports, and logs and statistics of its own, which nobody reads here."""
    return f"""reporting-disabled = true
bind-address = "127.0.0.1:{other}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"""


def make_database(port: int, name: str) -> None:
    """Make the database. CaretakerError when the server refuses."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", f"/query?q=CREATE+DATABASE+{name}")
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    if answer.status != 200:
        raise CaretakerError(f"InfluxDB did not make a database: {said.decode(errors='replace')}", "see influxd.log")


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True


def _pings(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 204
    except OSError:
        return False
    finally:
        connection.close()
