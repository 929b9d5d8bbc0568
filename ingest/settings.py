"""What the wiring tells ingest: where the broker is, and the bounds of everything that it holds.

Times are ms, sizes bytes. The defaults suit a site of some hundred points; docs/ingest.md says what happens at each
bound. Nothing here reads a file or the environment.
"""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from domain.errors import CaretakerError
from domain.times import MINUTE, SECOND


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """`worker` names this process in the sites' leases and in its MQTT client id: no two may share it."""

    broker_url: str
    worker: str = "ingest"
    process: str = "ingest"
    lease_ttl: int = 15 * SECOND
    batch_readings: int = 5_000
    batch_wait: int = 100
    inbox_messages: int = 2_000
    inbox_bytes: int = 64 * 1024 * 1024
    journal_bytes: int = 2048 * 1024 * 1024
    snapshot_entries: int = 5_000
    snapshot_every: int = 60 * SECOND
    clock_entry_every: int = 30 * SECOND
    keepalive: int = 30 * SECOND
    series_delay_last: int = MINUTE


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where and as whom to connect; an empty `user` means without credentials."""

    host: str
    port: int
    user: str = ""
    password: str = ""


def parse_broker(url: str) -> BrokerAddress:
    """The address in `mqtt://[user:password@]host[:port]`. CaretakerError when it is none."""
    remedy = "write mqtt://[user:password@]host[:port]"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CaretakerError(f"{url!r} is not a broker's address: {error}", remedy) from None
    if parts.scheme != "mqtt" or not parts.hostname or parts.path not in ("", "/"):
        raise CaretakerError(f"{url!r} is not a broker's address", remedy)
    return BrokerAddress(
        parts.hostname, 1883 if port is None else port, unquote(parts.username or ""), unquote(parts.password or "")
    )
