"""The settings of an installation: one TOML file, overridden by `CARETAKER_…` variables; nothing else is configured.

The only module that reads the environment. Every setting has a default that gives a working system on embedded parts;
three of them (`broker.url`, `stores.series`, `stores.operational`) swap in real servers.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from domain.errors import CaretakerError, InputError, Place
from domain.ids import check_id
from domain.times import DAY, format_duration, parse_duration
from domain.weekly import parse_weekly
from edge.tables import parse_tables
from edge.toml_lines import line_numbers, line_of
from ingest.settings import LEASE_LEAST, LEASE_MOST
from store.influx.address import SHAPE, parse_address

EMBEDDED = "embedded"
SQLITE = "sqlite"
_BROKER_FILES = ("ca_file", "password_file", "files_dir")
Port = Annotated[int, Field(ge=1, le=65535)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BrokerSettings(_Part):
    """Which MQTT broker carries the readings."""

    url: str = Field(
        EMBEDDED,
        description='"embedded", or mqtt://[user:password@]host[:port] of a broker of your own; mqtts:// for TLS',
    )
    port: Port = Field(1883, description="the embedded broker's port on the loopback address")
    ca_file: Path | None = Field(
        None, description="certificate (PEM) of the authority that signed the broker's; without it the system's"
    )
    password_file: Path | None = Field(
        None, description="file with ingest's password on its only line; its user is that of url, else caretaker-WORKER"
    )
    files_dir: Path | None = Field(
        None, description="folder of Mosquitto's files, written by caretaker agents; without it mosquitto in data_dir"
    )

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if url != EMBEDDED and not is_broker_address(url):
            # The text may hold a password: it is not repeated.
            raise ValueError('this is not a broker: write "embedded" or mqtt://host:1883, or mqtts:// for TLS')
        return url


class StoreSettings(_Part):
    """Where readings and the operational data are kept."""

    series: str = Field(
        SQLITE,
        description='the store of readings: "sqlite", or http://user:token@host:8086/database?org=… of an InfluxDB',
        repr=False,  # it may hold a token
    )
    keep_readings: str = Field(
        "0s", description="age at which readings are replaced by 15-minute summaries, e.g. 400d; 0s keeps all of them"
    )
    operational: str = Field(
        SQLITE,
        description='the store of journal, alarms and people\'s actions: "sqlite", or postgresql://user:password@host/name',
        repr=False,  # it may hold a password
    )

    @field_validator("series")
    @classmethod
    def _a_store_of_readings(cls, text: str) -> str:
        if text != SQLITE:
            try:
                parse_address(text)
            except CaretakerError as error:  # which does not repeat the text: it may hold a token
                raise ValueError(f'{error.message}; write "sqlite" or {SHAPE}') from None
        return text

    @field_validator("operational")
    @classmethod
    def _a_store_of_actions(cls, text: str) -> str:
        if text != SQLITE and not _is_postgresql_address(text):
            # The text may hold a password: it is not repeated.
            raise ValueError(
                'this is not a store: write "sqlite" or postgresql://user:password@host:5432/name'
                " (in the password %2F for /, %23 for #, %3F for ?, %40 for @)"
            )
        return text

    @field_validator("keep_readings")
    @classmethod
    def _a_time_to_keep(cls, text: str) -> str:
        if 0 < parse_duration(text) < DAY:
            raise ValueError("must be a day or longer, or 0s")
        return text


class WebSettings(_Part):
    """The API and the page."""

    host: str = Field("127.0.0.1", description="address to listen on; loopback until people can sign in")
    port: Port = Field(8420, description="port to listen on")
    hosts: tuple[str, ...] = Field((), description="further names that browsers may call this server by")


class NotifySettings(_Part):
    """Who is told."""

    channels: tuple[str, ...] = Field((), description="Apprise URLs, e.g. wecombot://KEY or ntfy://topic")
    language: Literal["zh", "en"] = Field("zh", description="language of the messages")
    roles: dict[str, tuple[str, ...]] = Field(
        {},
        description="Apprise URLs of a role's own, by the role in the rules' escalate; else the channels above",
    )
    weekly: str = Field(
        "monday 08:00", description="when the weekly list of bad alarms is sent, in the site's time; empty: never"
    )
    weekly_to: tuple[str, ...] = Field(
        ("canteen_manager", "maintenance"), description="the roles that the weekly list goes to"
    )

    @field_validator("weekly")
    @classmethod
    def _a_moment_of_the_week(cls, text: str) -> str:
        if text:
            parse_weekly(text)
        return text

    @field_validator("roles")
    @classmethod
    def _roles_by_id(cls, roles: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for role in roles:
            check_id(role, "role")
        return roles


class AlarmSettings(_Part):
    """How long people may set an alarm aside."""

    shelve_max: str = Field("24h", description="the longest time that an alarm may be shelved for")
    shelve_max_legal: str = Field("2h", description="the same for an alarm of a rule whose basis is legal")

    @field_validator("shelve_max", "shelve_max_legal")
    @classmethod
    def _a_time_on_the_shelf(cls, text: str) -> str:
        if not 0 < parse_duration(text) <= 31 * DAY:
            raise ValueError("must be longer than zero, and 31d at most: nothing is shelved for ever")
        return text


class IngestSettings(_Part):
    """What ingest may hold, and how often it writes things down."""

    snapshot_every: str = Field("60s", description="time between two snapshots of the engine's state")
    broker_alarm_after: str = Field(
        "2min", description="how long the broker may be out of reach before that is an alarm of its own"
    )
    journal_max_mb: int = Field(2048, ge=16, description="the journal's bound; when it is full the agents hold")
    lease: str = Field(
        "15s", description="time after which another worker takes the sites of one that is gone; 5s to 5min"
    )

    @field_validator("snapshot_every", "broker_alarm_after")
    @classmethod
    def _a_duration(cls, text: str) -> str:
        if parse_duration(text) <= 0:
            raise ValueError("must be longer than zero")
        return text

    @field_validator("lease")
    @classmethod
    def _a_lease(cls, text: str) -> str:
        if not LEASE_LEAST <= parse_duration(text) <= LEASE_MOST:
            raise ValueError(f"must be from {format_duration(LEASE_LEAST)} to {format_duration(LEASE_MOST)}")
        return text


class LogSettings(_Part):
    """How much is said, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least that is logged")
    format: Literal["text", "json"] = Field("text", description="for people, or for a log collector")


class Settings(BaseSettings):
    """Everything that can be set; see `docs/settings.md`."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix="CARETAKER_", env_nested_delimiter="__")

    data_dir: Path = Field(Path("data"), description="folder of everything that is kept")
    sites: tuple[Path, ...] = Field((), description="site files that `up` applies at its start")
    rules: tuple[str, ...] = Field(
        ("pack:cn-canteen", "pack:facility-basic"), description="rule files or pack:NAME that `up` applies to each site"
    )
    worker: str = Field("ingest", description="this ingest worker's name in the sites' leases")
    broker: BrokerSettings = BrokerSettings()
    stores: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    alarms: AlarmSettings = AlarmSettings()
    notify: NotifySettings = NotifySettings()
    ingest: IngestSettings = IngestSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file (which comes in as init values)."""
        return env_settings, init_settings

    @property
    def broker_url(self) -> str:
        """Where clients connect: the embedded broker's own address, or the configured one."""
        return f"mqtt://127.0.0.1:{self.broker.port}" if self.broker.url == EMBEDDED else self.broker.url

    @property
    def broker_credential(self) -> tuple[str, str]:
        """User and password of ingest at the broker, empty without one. CaretakerError for a bad password file."""
        if self.broker.password_file is None:
            parts = urlsplit(self.broker_url)
            return unquote(parts.username or ""), unquote(parts.password or "")
        password = read_text(self.broker.password_file).rstrip("\r\n")
        if not password:
            raise InputError(Place(str(self.broker.password_file)), "is empty", "put the password on its only line")
        return unquote(urlsplit(self.broker_url).username or "") or f"caretaker-{self.worker}", password

    @property
    def series_path(self) -> Path:
        """The SQLite file of the readings."""
        return self.data_dir / "series.sqlite"

    @property
    def operational_path(self) -> Path:
        """The SQLite file of everything else."""
        return self.data_dir / "operational.sqlite"

    @property
    def run_dir(self) -> Path:
        """Where running processes leave their state."""
        return self.data_dir / "run"


def load_settings(config: Path | None) -> Settings:
    """The settings of the file (default `caretaker.toml` where it exists) and the environment.

    InputError with file and line for a bad file, CaretakerError for a bad variable. Relative paths in the file are
    relative to the file's folder, so that a service may be started from anywhere.
    """
    path = config or (Path("caretaker.toml") if Path("caretaker.toml").exists() else None)
    text, values = "", {}
    if path is not None:
        text = read_text(path)
        parse_tables(text, str(path))  # its errors name the line; tomllib alone does not
        values = tomllib.loads(text)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise _explain(error, text, path) from None
    return _anchored(settings, path.parent if path else Path())


def is_broker_address(url: str) -> bool:
    """Whether this is `mqtt://` or `mqtts://` and a host that a client can connect to."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("mqtt", "mqtts") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or beyond 65535
        return False


def _is_postgresql_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and len(parts.path) > 1 and "/" not in parts.path[1:]
        return parts.scheme == "postgresql" and named and parts.port != 0 and not parts.fragment
    except ValueError:  # a port that is no number, or beyond 65535
        return False


def supervised() -> bool:
    """Whether this process is a child of `caretaker up`, and must end when its parent does."""
    return os.environ.get("CARETAKER_SUPERVISED") == "1"


def child_environment() -> dict[str, str]:
    """The environment for a child process of `caretaker up`."""
    return {**os.environ, "CARETAKER_SUPERVISED": "1", "PYTHONUNBUFFERED": "1"}


def read_text(path: Path) -> str:
    """The file's UTF-8 text. InputError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            Place(str(path)), f"cannot be read: {error.strerror}", "check the path and its rights"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(Place(str(path)), f"is not UTF-8 text: {error.reason} at byte {error.start}") from None


def _anchored(settings: Settings, base: Path) -> Settings:
    def anchor(path: Path) -> Path:
        return path if path.is_absolute() else base / path

    files = {name: anchor(path) for name in _BROKER_FILES if (path := getattr(settings.broker, name))}
    rules = tuple(name if name.startswith("pack:") else str(anchor(Path(name))) for name in settings.rules)
    return settings.model_copy(
        update={
            "data_dir": anchor(settings.data_dir),
            "sites": tuple(anchor(site) for site in settings.sites),
            "rules": rules,
            "broker": settings.broker.model_copy(update=files),
        }
    )


def _explain(error: ValidationError, text: str, path: Path | None) -> CaretakerError:
    first = error.errors()[0]
    where = tuple(part for part in first["loc"])
    name = ".".join(str(part) for part in where)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such setting"
    remedy = "docs/settings.md lists every setting"
    variable = f"CARETAKER_{'__'.join(map(str, where)).upper()}"
    in_file = line_of(line_numbers(text), where) if path and variable not in os.environ else 0
    if in_file:
        return InputError(Place(str(path), in_file), f"{name}: {message}", remedy)
    return CaretakerError(f"setting {name} ({variable}): {message}", remedy)
