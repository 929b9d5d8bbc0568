"""Speaks to one InfluxDB: asks its version once, then queries, writes lines and deletes in the way that it knows.

Decides which paths a version needs and turns every failure into StoreUnavailableError (worth another try) or
StoreRefusedError. It does not try again (every caller has its own patience) and drops nothing. Connections are kept
alive and used by several threads. Nothing is sent before the first use, so that a server that is away does not stop a
program from starting.
"""

import base64
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from domain.errors import StoreRefusedError, StoreUnavailableError
from domain.times import iso
from store.influx import influxql
from store.influx.address import InfluxAddress
from store.influx.answers import Table, Version, failure, parse_version, read_answer, words

if TYPE_CHECKING:
    from influxdb_client.client.influxdb_client import InfluxDBClient
    from influxdb_client.client.write_api import WriteApi

LINES_PER_WRITE = 5_000  # what InfluxData recommends
CONNECT_SECONDS = 3.0
READ_SECONDS = 30.0
ABOUT_LINES = (400, 413, 422)  # refusals that concern what was sent: some of its lines may have been stored

Refused = tuple[int, str]  # index of a line, and the server's words


class Connection:
    """One server and database; safe to use from several threads."""

    def __init__(
        self, address: InfluxAddress, connect_seconds: float = CONNECT_SECONDS, read_seconds: float = READ_SECONDS
    ) -> None:
        self.address = address
        self._seconds = (connect_seconds, read_seconds)
        timeout = urllib3.Timeout(connect=connect_seconds, read=read_seconds)
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=8, retries=False, timeout=timeout)
        self._headers = _authorization(address)
        self._lock = threading.Lock()
        self._version: Version | None = None
        self._client: InfluxDBClient | None = None
        self._writer: WriteApi | None = None

    @property
    def version(self) -> Version:
        """Which InfluxDB it is; asked at the first use, when the database is also made where that is possible."""
        with self._lock:
            if self._version is None:
                status, headers, body = self._send("GET", "/ping")
                if status not in (200, 204):
                    raise failure(status, body, "to say its version")
                version = parse_version(headers.get("X-Influxdb-Version", ""))
                self._make_database(version)
                self._version = version
            return self._version

    def query(self, text: str) -> list[Table]:
        """The series that one InfluxQL statement gives; times in UTC ms."""
        assert self.version
        return self._query(text)

    def write(self, lines: Sequence[str]) -> list[Refused]:
        """Store the lines; those that the server refuses come back with its words, all the others are stored.

        A write that is refused for its lines is halved until the bad ones are alone: writing a good line again changes
        nothing. What is not about the lines is raised.
        """
        refused: list[Refused] = []
        for first in range(0, len(lines), LINES_PER_WRITE):
            waiting = [(first, min(first + LINES_PER_WRITE, len(lines)))]
            while waiting:
                start, stop = waiting.pop()
                said = self._post_lines("\n".join(lines[start:stop]).encode())
                if said is None:
                    continue
                if stop - start == 1:
                    refused.append((start, said))
                else:
                    middle = (start + stop) // 2
                    waiting += [(middle, stop), (start, middle)]
        return sorted(refused)

    def delete(self, measurement: str, tags: Sequence[tuple[str, str]], start: int, end: int) -> None:
        """Delete rows with these tags and start <= time < end. StoreRefusedError where the version cannot."""
        version = self.version
        if not version.deletes:
            raise StoreRefusedError(
                f"InfluxDB {version.words} cannot delete readings", "set a retention period on the database instead"
            )
        if version.major == 1:
            self._query(influxql.delete(measurement, tags, start, end))
            return
        asked = " AND ".join(f"{key}={_quoted(value)}" for key, value in (("_measurement", measurement), *tags))
        # Unlike a query's end, the stop of 2.x is deleted too (seen on 2.7.12).
        body = msgspec.json.encode({"start": iso(start), "stop": iso(end - 1), "predicate": asked})
        path = "/api/v2/delete?" + urlencode({"org": self.address.org, "bucket": self.address.database})
        status, _, answer = self._send("POST", path, body, {**self._token(), "Content-Type": "application/json"})
        if status != 204:
            raise failure(status, answer, "to delete readings")

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._client is not None:
                self._client.close()  # type: ignore[no-untyped-call]  # influxdb-client is typed in part
            self._client = self._writer = None
            self._pool.clear()

    def _query(self, text: str) -> list[Table]:
        body = urlencode({"db": self.address.database, "q": text, "epoch": "ms"}).encode()
        form = {**self._headers, "Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        status, _, answer = self._send("POST", "/query", body, form)
        if status != 200:
            raise failure(status, answer, "a query")
        return read_answer(answer)

    def _post_lines(self, body: bytes) -> str | None:
        """None when everything is stored; the server's words when it is about the lines."""
        if self.version.takes_v2_writes:
            status, answer = self._post_v2(body)
        else:
            path = "/write?" + urlencode({"db": self.address.database, "precision": "ms"})
            status, _, answer = self._send("POST", path, body)
        if status in ABOUT_LINES:
            return f"{status} {words(answer)}"
        if status not in (200, 204):
            raise failure(status, answer, "to store readings")
        return None

    def _post_v2(self, body: bytes) -> tuple[int, bytes]:
        from influxdb_client.rest import ApiException

        writer, org = self._v2_writer(), self.address.org or "-"
        try:
            writer.write(bucket=self.address.database, org=org, record=body, write_precision="ms")  # type: ignore[arg-type]  # as documented
        except ApiException as error:
            if not error.status:
                raise self._away(error) from None
            return int(error.status), (error.body or error.reason or "").encode()
        except HTTPError as error:
            raise self._away(error) from None
        return 204, b""

    def _v2_writer(self) -> "WriteApi":
        with self._lock:
            if self._writer is None:
                # Imported where it is needed: it is slow to load, and old servers do not need it.
                from influxdb_client.client.influxdb_client import InfluxDBClient
                from influxdb_client.client.write_api import SYNCHRONOUS

                timeout = tuple(int(1000 * seconds) for seconds in self._seconds)
                token = self._token()["Authorization"].removeprefix("Token ") if self._token() else ""
                self._client = InfluxDBClient(
                    url=self.address.base, token=token, org=self.address.org or "-", timeout=timeout, retries=False
                )
                self._writer = self._client.write_api(write_options=SYNCHRONOUS)
            return self._writer

    def _send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            answer = self._pool.request(
                method, self.address.base + path, body=body, headers=self._headers if headers is None else headers
            )
        except HTTPError as error:
            raise self._away(error) from None
        return answer.status, answer.headers, answer.data

    def _away(self, error: Exception) -> StoreUnavailableError:
        said = str(getattr(error, "reason", None) or error) or type(error).__name__
        return StoreUnavailableError(f"{self.address} does not answer: {said}", "start it, or correct stores.series")

    def _make_database(self, version: Version) -> None:
        """1.x and 3 make a database when asked; a user without the right to do so is told at the first write."""
        if version.major == 1:
            path, body = "/query", urlencode({"q": influxql.create_database(self.address.database)}).encode()
            kind = "application/x-www-form-urlencoded"
        elif version.major == 3:
            path, body = "/api/v3/configure/database", msgspec.json.encode({"db": self.address.database})
            kind = "application/json"
        else:
            return
        status, _, answer = self._send("POST", path, body, {**self._headers, "Content-Type": kind})
        if status >= 500:
            raise failure(status, answer, "to make the database")

    def _token(self) -> dict[str, str]:
        """The header of the paths under /api/v2; 1.8 takes user and password in it."""
        if not self.address.token:
            return {}
        one = self._version is not None and self._version.major == 1
        secret = f"{self.address.user}:{self.address.token}" if one else self.address.token
        return {"Authorization": f"Token {secret}"}


def _authorization(address: InfluxAddress) -> dict[str, str]:
    """Basic, with the token as password: 2.x and 3 take it on the paths of 1.x too."""
    if not address.token:
        return {}
    pair = f"{address.user or 'caretaker'}:{address.token}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
