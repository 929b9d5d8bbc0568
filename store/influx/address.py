"""Where an InfluxDB is and as whom to speak to it, from one address: `http://user:token@host:8086/database?org=…`.

Decides what a legal address is. Its text never shows the token: it appears in logs and error messages.
"""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from domain.errors import CaretakerError

SHAPE = "http://user:token@host:8086/database?org=…"
DEFAULT_PORT = 8086


@dataclass(frozen=True, slots=True)
class InfluxAddress:
    """`user` may be empty (2.x and 3 look at the token only); without a `token` nothing is presented."""

    scheme: str
    host: str
    port: int
    database: str
    user: str = ""
    token: str = field(default="", repr=False)
    org: str = ""

    @property
    def base(self) -> str:
        """Scheme, host and port as a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        return f"InfluxDB {self.base}/{self.database}"


def is_influx(text: str) -> bool:
    """Whether the setting means an InfluxDB at all."""
    return text.startswith(("http://", "https://"))


def parse_address(text: str) -> InfluxAddress:
    """The address in the text. CaretakerError when it is none; the text itself is not repeated, it may hold a token."""
    try:
        parts = urlsplit(text)
        port = parts.port
        asked = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise _refused(str(error)) from None
    database = unquote(parts.path.strip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _refused("it does not begin with http://host or https://host")
    if not database or "/" in database or not database.isprintable():
        raise _refused("it names no database after the host")
    if set(asked) - {"org"}:
        raise _refused(f"it asks for {', '.join(sorted(set(asked) - {'org'}))}; only org is known")
    return InfluxAddress(
        parts.scheme,
        parts.hostname,
        DEFAULT_PORT if port is None else port,
        database,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        asked.get("org", [""])[-1],
    )


def _refused(why: str) -> CaretakerError:
    return CaretakerError(f"this is not the address of an InfluxDB: {why}", f"write {SHAPE}")
