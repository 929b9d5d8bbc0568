"""A real PostgreSQL for the tests: a running one that a variable names, one in a container, or Debian's as a child.

`CARETAKER_TEST_POSTGRES_URL` names a running server and a user who may create databases. Else, where a Docker engine
answers and the image (`CARETAKER_TEST_POSTGRES_IMAGE`, default `postgres:17`) is already there, testcontainers starts
it. Else Debian's `postgresql` is started on a free port, as the user `postgres` when the tests run as root, because
the server refuses root. It writes nothing through to the disk: only a test of the machine's power would notice.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.containers import container, engine_has
from tests.support import free_port, needs, wait_until

IMAGE = os.environ.get("CARETAKER_TEST_POSTGRES_IMAGE", "postgres:17")
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
shared_buffers = 32MB
"""


@dataclass(slots=True)
class Server:
    """A server on which tests make databases of their own; `restart` only where the tests started the process."""

    url: str
    restart: Callable[[], None] | None = None
    made: list[str] = field(default_factory=list)

    def database(self, template: str = "template1") -> str:
        """The URL of a new database."""
        name = f"caretaker_test_{secrets.token_hex(6)}"
        with self.administer() as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            connection.execute(statement)
        self.made.append(name)
        return f"{self.url.rpartition('/')[0]}/{name}"

    def drop(self, url: str) -> None:
        """Remove the database of that URL, whoever is still connected."""
        name = url.rpartition("/")[2]
        with self.administer() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self.made.remove(name)

    def administer(self) -> "closing[psycopg.Connection[tuple[object, ...]]]":
        """A connection of the tests' own, outside of any transaction."""
        return closing(psycopg.connect(self.url, autocommit=True))


@contextmanager
def postgres() -> Iterator[Server]:
    """The server, and no database left behind on it."""
    with _serve() as server:
        try:
            yield server
        finally:
            for name in list(server.made):
                server.drop(f"/{name}")


@contextmanager
def _serve() -> Iterator[Server]:
    named = os.environ.get("CARETAKER_TEST_POSTGRES_URL")
    if named:
        yield Server(named)
    elif engine_has(IMAGE):
        with _container() as url:
            yield Server(url)
    else:
        # Not in pytest's own folder: every pytest that starts closes that to other users again.
        with tempfile.TemporaryDirectory(prefix="caretaker-postgresql-") as folder, _child(Path(folder)) as server:
            yield server


@contextmanager
def _container() -> Iterator[str]:
    environment = {"POSTGRES_USER": "tests", "POSTGRES_PASSWORD": secrets.token_hex(16), "POSTGRES_DB": "tests"}
    with container(IMAGE, 5432, environment) as (host, port):
        url = f"postgresql://tests:{environment['POSTGRES_PASSWORD']}@{host}:{port}/tests"
        wait_until(lambda: _answers(url), 60, f"the container of {IMAGE} answers")
        yield url


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5).close()
        return True
    return False


@contextmanager
def _child(folder: Path) -> Iterator[Server]:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    initdb = programs[-1] / "initdb" if programs else Path(needs("initdb", "postgresql"))
    data, port = folder / "data", free_port()
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user, user)
    arguments = ["--pgdata", data, "--username", "tests", "--auth", "trust", "--encoding", "UTF8", "--no-sync"]
    language = ["--locale-provider", "icu", "--icu-locale", "en-US"]  # sorts unlike SQLite, as many servers do
    subprocess.run([initdb, *arguments, *language], check=True, capture_output=True, user=user, group=user, cwd="/")
    with (data / "postgresql.conf").open("a") as file:
        file.write(CONFIGURATION + f"port = {port}\n")
    url = f"postgresql://tests@127.0.0.1:{port}/postgres"
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with (folder / "log").open("ab") as log:
            command = [initdb.with_name("postgres"), "-D", data]
            running.append(subprocess.Popen(command, stdout=log, stderr=log, user=user, group=user, cwd="/"))
        _wait(url, running[-1], folder / "log")

    def stop() -> None:
        running[-1].send_signal(signal.SIGINT)  # sessions are cut off, files are left whole
        running[-1].wait(30)

    def restart() -> None:
        stop()
        start()

    start()
    try:
        yield Server(url, restart)
    finally:
        stop()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start: {error}\n{log.read_text()}")
            time.sleep(0.05)
        else:
            return
