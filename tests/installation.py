"""An installation for tests of several processes: real servers of its own, and commands ended by their number."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from store.influx.address import InfluxAddress
from tests.influx_server import fresh_database, influx_servers
from tests.postgres import postgres

CARETAKER = str(Path(sys.executable).with_name("caretaker"))


class Command:
    """One `caretaker …` that runs until it is ended; its words go to `NAME.log` in the folder."""

    def __init__(self, folder: Path, name: str, words: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [CARETAKER, *words], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            )  # fmt: skip

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def send(self, sign: signal.Signals) -> None:
        self._process.send_signal(sign)

    def kill(self) -> None:
        """SIGKILL; also one that stands still."""
        self._process.kill()
        self._process.wait(20)

    def wait(self, seconds: float) -> int:
        """The exit code."""
        return self._process.wait(seconds)

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM and the exit code; harmless when it has ended."""
        if self.runs:
            self.send(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {seconds:.0f} s; see {self.log}") from None


@contextmanager
def real_stores(folder: Path) -> Iterator[tuple[str, str]]:
    """The URLs of a fresh PostgreSQL database and a fresh InfluxDB database, as settings take them."""
    with postgres() as server, influx_servers(folder / "influxdb") as influx, fresh_database(influx) as address:
        yield server.database(), influx_url(address)


def influx_url(address: InfluxAddress) -> str:
    """The address as the setting `stores.series`."""
    secret = f"{quote(address.user, safe='')}:{quote(address.token, safe='')}@" if address.token else ""
    base = f"{address.scheme}://{secret}{address.host}:{address.port}/{address.database}"
    return f"{base}?org={quote(address.org, safe='')}" if address.org else base


def run(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> str:
    """A command that must succeed; what it printed."""
    done = subprocess.run(
        [CARETAKER, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, f"caretaker {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout
