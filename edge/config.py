"""The agent's configuration: one TOML file, read once into frozen values.

Every key is described in docs/edge.md. A mistake is an `InputError` that names file, line and remedy. It reads files
(the configuration and the password file), no environment.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from domain.errors import InputError, Place
from edge.tables import Table, parse_tables

KEYS = (
    "site", "agent", "broker", "password_file", "ca_file", "data_dir", "sample_interval", "trust_clock", "produced_log",
    "outbox", "source",
)  # fmt: skip
OUTBOX_KEYS = ("max_bytes", "max_age")

# Less than this would be dropped before the window of packs is full: 64 packs of 64 KiB, and some room.
LEAST_OUTBOX_BYTES = 1 << 20

_SCHEMES = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the MQTT broker listens, and as whom to connect; `tls` trusts `ca_file` alone, without it the system's."""

    host: str
    port: int
    tls: bool = False
    user: str = ""
    password: str = ""
    ca_file: Path | None = None

    def __repr__(self) -> str:
        scheme = "mqtts" if self.tls else "mqtt"
        return f"{scheme}://{self.user + '@' if self.user else ''}{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """What one agent does. Durations in ms, sizes in bytes; `sources` are (kind, options) in the file's order."""

    site: str
    agent: str
    broker: Broker
    data_dir: Path
    sample_interval: int
    outbox_bytes: int
    outbox_age: int
    sources: tuple[tuple[str, Table], ...]
    trust_clock: bool = False
    produced_log: Path | None = None


def load_config(path: Path) -> AgentConfig:
    """The configuration in that file; relative paths in it are relative to the file's folder."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            Place(str(path)), f"cannot read it: {error.strerror}", "check --config and its rights"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(Place(str(path), line), "it is not UTF-8 text", "save it as UTF-8") from None
    return parse_config(text, str(path))


def parse_config(text: str, file: str) -> AgentConfig:
    """The configuration in that text; `file` is named in errors, and in its folder relative paths begin."""
    root = parse_tables(text, file)
    root.check_keys(*KEYS)
    outbox = root.table("outbox")
    outbox.check_keys(*OUTBOX_KEYS)
    return AgentConfig(
        site=root.id("site"),
        agent=root.id("agent"),
        broker=_broker(root),
        data_dir=root.path("data_dir"),
        sample_interval=root.duration("sample_interval", "10s", least=100),
        outbox_bytes=outbox.size("max_bytes", "200MB", least=LEAST_OUTBOX_BYTES),
        outbox_age=outbox.duration("max_age", "30d", least=60_000),
        sources=_sources(root),
        trust_clock=root.boolean("trust_clock", False),
        produced_log=root.path("produced_log") if "produced_log" in root else None,
    )


def _sources(root: Table) -> tuple[tuple[str, Table], ...]:
    tables = root.tables("source")
    if not tables:
        raise root.error("there is no source of readings", 'add a table: [[source]], then kind = "onewire"')
    return tuple((table.text("kind"), table) for table in tables)


def _broker(root: Table) -> Broker:
    text = root.text("broker")
    hint = 'write broker = "mqtt://host:1883", or mqtts:// for TLS, or mqtt://user:password@host'
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise root.error(f"broker: {error}", hint, "broker") from None
    if url.scheme not in _SCHEMES or not host or url.path.strip("/") or url.query or url.fragment:
        # The text may hold a password: it is not repeated.
        raise root.error("broker is not an address of an MQTT broker", hint, "broker")
    password = unquote(url.password or "")
    if "password_file" in root:
        password = _password(root)
        if not url.username:
            raise root.error("password_file without a user", 'write broker = "mqtt://user@host"', "broker")
    tls = url.scheme == "mqtts"
    authority = _authority(root, tls) if "ca_file" in root else None
    return Broker(host, port or _SCHEMES[url.scheme], tls, unquote(url.username or ""), password, authority)


def _authority(root: Table, tls: bool) -> Path:
    """The certificate of the authority to trust, tried once, so that `--check` finds a bad one."""
    path = root.path("ca_file")
    if not tls:
        raise root.error("ca_file without TLS", 'write broker = "mqtts://…"', "ca_file")
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as error:  # ssl.SSLError, for a file without a certificate, is one too
        said = error.strerror or str(error)
        hint = "copy the authority's certificate (PEM) from the server, e.g. ca.crt"
        raise root.error(f"ca_file {path} cannot be used: {said}", hint, "ca_file") from None
    return path


def _password(root: Table) -> str:
    path = root.path("password_file")
    try:
        password = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise root.error(f"cannot read the password file {path}: {error}", "", "password_file") from None
    if not password:
        raise root.error(f"the password file {path} is empty", "put the password on its only line", "password_file")
    return password
