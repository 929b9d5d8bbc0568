"""An HTTP server that answers as another InfluxDB version would: what it says is scripted, or comes from a real 1.x.

The versions 2 and 3 are not packaged by Debian. So their paths, headers and refusals are imitated here; with a `behind`
the readings are kept by a real server, and a query of theirs is answered by it.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import urllib3

from store.influx.address import InfluxAddress


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    peer: int

    @property
    def statement(self) -> str:
        """The InfluxQL of a query."""
        return parse_qs(self.body.decode()).get("q", [""])[0]


@dataclass(slots=True)
class Front:
    """What the server is to say, and what it was asked. `says`: path -> answers, the last of which is repeated."""

    version: str
    port: int = 0
    behind: InfluxAddress | None = None
    says: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    gone: bool = False
    writes_refuse: str = ""  # a line with this text in it is refused, as 2.x does: with all others of its request

    def address(self, token: str = "secret", org: str = "school") -> InfluxAddress:
        return InfluxAddress("http", "127.0.0.1", self.port, "canteen", "", token, org)

    def of(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    def answer(self, asked: Asked) -> tuple[int, bytes]:
        if scripted := self.says.get(asked.path):
            return scripted.pop(0) if len(scripted) > 1 else scripted[0]
        if asked.path == "/api/v2/write":
            return self._write(asked)
        if asked.path == "/query":
            statement = asked.statement
            if self.version.startswith("3") and (";" in statement or statement.startswith(("DELETE", "CREATE"))):
                return 400, b'{"error":"unsupported statement"}'
            return self._forward(statement)
        if asked.path == "/api/v2/delete" and not self.version.startswith("3"):
            return self._delete(msgspec.json.decode(asked.body))
        if asked.path == "/api/v3/configure/database":
            return self._forward(f'CREATE DATABASE "{msgspec.json.decode(asked.body)["db"]}"')
        return 404, b'{"error":"not found"}'

    def _write(self, asked: Asked) -> tuple[int, bytes]:
        if self.writes_refuse and self.writes_refuse.encode() in asked.body:
            told = {"code": "invalid", "message": f"unable to parse {self.writes_refuse!r}"}
            return 400, msgspec.json.encode(told)
        if self.behind is None:
            return 204, b""
        where = urlencode({"db": asked.query["bucket"][0], "precision": asked.query["precision"][0]})
        got = urllib3.request("POST", f"{self.behind.base}/write?{where}", body=asked.body, retries=False)
        return got.status, got.data

    def _forward(self, statement: str) -> tuple[int, bytes]:
        if self.behind is None:
            return 200, b'{"results":[{"statement_id":0}]}'
        asked = {"q": statement, "epoch": "ms", "db": "canteen"}
        got = urllib3.request("POST", f"{self.behind.base}/query?{urlencode(asked)}", retries=False)
        return got.status, got.data

    def _delete(self, told: dict[str, str]) -> tuple[int, bytes]:
        tags = re.findall(r'(\w+)="([^"]*)"', told["predicate"])
        where = " AND ".join(f"\"{key}\" = '{value}'" for key, value in tags if key != "_measurement")
        span = f"time >= '{told['start']}' AND time < '{told['stop']}'"
        status, body = self._forward(f'DELETE FROM "{dict(tags)["_measurement"]}" WHERE {where} AND {span}')
        return (204, b"") if status == 200 else (status, body)


@contextmanager
def influx_front(front: Front) -> Iterator[Front]:
    """The server on a free port while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(
                self.command, parts.path, parse_qs(parts.query), dict(self.headers.items()), body,
                self.client_address[1],
            )  # fmt: skip
            if front.gone:  # a connection that was kept alive ends with the server
                self.close_connection = True
                return
            front.asked.append(asked)
            ping = parts.path == "/ping" and "/ping" not in front.says
            status, answer = (204, b"") if ping else front.answer(asked)
            self.send_response(status)
            self.send_header("X-Influxdb-Version", front.version)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = _serve  # noqa: N815 - the names that http.server asks for

        def log_message(self, *_: object) -> None:
            """Nothing: the test's output is the test's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    front.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="influx-front")
    thread.start()
    try:
        yield front
    finally:
        front.gone = True
        server.shutdown()
        thread.join()
        server.server_close()
