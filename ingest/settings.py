"""What the wiring tells ingest: where the broker is, and the bounds of everything that it holds.

Times are ms, sizes bytes. The defaults suit a site of some hundred points; docs/ingest.md says what happens at each
bound. Nothing here reads a file or the environment.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from domain.errors import CaretakerError
from domain.times import MINUTE, SECOND

# A lease is renewed at each third of it, and looked after once a second: below the least, a database that is slow for
# two seconds would cost a worker its sites. As long as a lease runs, nobody judges the sites of a worker that died.
LEASE_LEAST = 5 * SECOND
LEASE_MOST = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """`worker` names this process in the sites' leases and in its MQTT client id: no two may share it.

    `lease_ttl` is from LEASE_LEAST to LEASE_MOST, and may differ between workers.
    `broker_user` and `broker_password`, when given, count instead of those in `broker_url`; `broker_ca` is the
    authority that signed the broker's certificate (mqtts://), None the system's.
    """

    broker_url: str
    worker: str = "ingest"
    process: str = "ingest"
    lease_ttl: int = 15 * SECOND
    batch_readings: int = 5_000
    batch_wait: int = 100
    inbox_messages: int = 2_000
    inbox_bytes: int = 64 * 1024 * 1024
    journal_bytes: int = 2048 * 1024 * 1024
    disk_reserve: int = 256 * 1024 * 1024
    future_allowance: int = 5 * MINUTE
    unknown_points: int = 10_000
    agents_per_hour: int = 200
    snapshot_entries: int = 5_000
    snapshot_every: int = 60 * SECOND
    clock_entry_every: int = 30 * SECOND
    keepalive: int = 30 * SECOND
    series_delay_last: int = MINUTE
    broker_alarm_after: int = 2 * MINUTE  # without a connection, before the alarm "broker unreachable"
    keep_readings: int = 0  # age at which readings are summed up and deleted; 0 keeps all of them
    broker_user: str = ""
    broker_password: str = field(default="", repr=False)
    broker_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where and as whom to connect; an empty `user` means without credentials. `ca_file` counts with `tls` only."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    ca_file: Path | None = None


_PORTS = {"mqtt": 1883, "mqtts": 8883}


def broker_address(settings: IngestSettings) -> BrokerAddress:
    """The address with the credentials and the authority of the settings. CaretakerError when it is none."""
    address = replace(parse_broker(settings.broker_url), ca_file=settings.broker_ca)
    if settings.broker_user:
        return replace(address, user=settings.broker_user, password=settings.broker_password)
    return address


def parse_broker(url: str) -> BrokerAddress:
    """The address in `mqtt[s]://[user:password@]host[:port]`. CaretakerError, which repeats no password, when none."""
    remedy = "write mqtt://[user:password@]host[:port], or mqtts:// for TLS"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CaretakerError(f"this is not a broker's address: {error}", remedy) from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
        shown = "this" if "@" in url else repr(url)
        raise CaretakerError(f"{shown} is not a broker's address", remedy)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return BrokerAddress(
        parts.hostname, _PORTS[parts.scheme] if port is None else port, user, password, parts.scheme == "mqtts"
    )
