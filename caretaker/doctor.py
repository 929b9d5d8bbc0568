"""What is wrong with this installation, in words: each check says what it found and what to do about it.

Checks only read (opening the stores migrates them, as any start would). The order is the order in which a person
would look: settings, folder, broker, stores, sites, processes, agents, what was refused.
"""

import ipaddress
import json
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from caretaker.output import printable
from caretaker.settings import EMBEDDED, Settings
from caretaker.supervisor import running_supervisor
from caretaker.wiring import open_operational, open_series
from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError, InputError
from domain.records import DeadLetter, ProcessRow
from domain.times import DAY, EARLIEST, HOUR, SECOND, format_duration, iso
from rules.loading import load_revision
from store.operational.store import OperationalStore

LEAST_FREE_MB = 500
MOST_LETTERS = 10_000  # that are looked at, the newest
CERTIFICATE_SOON = 30 * DAY
BEAT_TOO_OLD = 15 * SECOND
# The program was written after this: an earlier wall clock is wrong.
CLOCK_NOT_BEFORE = EARLIEST + 36 * 365 * DAY


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result; `remedy` is empty when there is nothing to do."""

    verdict: Verdict
    what: str
    remedy: str = ""


def examine(settings: Settings, now: int) -> Iterator[Finding]:
    """Every finding about the installation at `now` (UTC ms)."""
    yield from _clock(now)
    yield from _folder(settings)
    yield from _broker(settings, now)
    try:
        store = open_operational(settings)
    except CaretakerError as error:
        yield Finding(Verdict.WRONG, f"operational store: {error.message}", error.remedy)
        return
    try:
        yield from _stores(settings, store)
        if not store.sites():
            yield Finding(Verdict.WRONG, "no site is described", "caretaker site apply examples/school/site.yaml")
        for site in store.sites():
            yield from _site(store, site)
        yield from _processes(settings, store, now)
        for site in store.sites():
            yield from _agents(store, site, now)
            yield from _points(store, site, now)
            yield from _audit(store, site)
        yield from _refused(store)
    finally:
        store.close()


def _clock(now: int) -> Iterator[Finding]:
    if now < CLOCK_NOT_BEFORE:
        yield Finding(Verdict.WRONG, f"this machine's clock says {iso(now)}", "set it and keep it set (chrony, ntp)")


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    try:
        free = shutil.disk_usage(folder).free // 2**20
    except FileNotFoundError:
        yield Finding(Verdict.WARNING, f"the data folder {folder} does not exist yet", "caretaker up makes it")
        return
    except OSError as error:
        yield Finding(
            Verdict.WRONG, f"the data folder {folder} cannot be looked at: {error.strerror}", "check its rights"
        )
        return
    if free < LEAST_FREE_MB:
        yield Finding(
            Verdict.WRONG, f"only {free} MB are free on {folder}", "make room: when it is full the agents hold"
        )
    else:
        yield Finding(Verdict.OK, f"data folder {folder}, {free:,} MB free")


def _broker(settings: Settings, now: int) -> Iterator[Finding]:
    url = urlsplit(settings.broker_url)
    host, port = url.hostname or "127.0.0.1", url.port or (8883 if url.scheme == "mqtts" else 1883)
    kind = "embedded broker" if settings.broker.url == EMBEDDED else "broker"
    try:
        ends = _reach(settings, host, port)
    except ssl.SSLError as error:
        yield Finding(
            Verdict.WRONG, f"{kind} {host}:{port} cannot be trusted: {error}",
            "broker.ca_file must be the authority of its certificate, and the certificate must name this host: "
            "docs/brokers.md",
        )  # fmt: skip
    except CaretakerError as error:
        yield Finding(Verdict.WRONG, error.message, error.remedy)
    except OSError as error:
        runs = running_supervisor(settings.run_dir) is not None
        remedy = "start it, or correct broker.url" if settings.broker.url != EMBEDDED else "start it with caretaker up"
        verdict = Verdict.WRONG if runs or settings.broker.url != EMBEDDED else Verdict.WARNING
        yield Finding(verdict, f"{kind} {host}:{port} does not answer: {error}", remedy)
    else:
        yield Finding(Verdict.OK, f"{kind} {host}:{port} answers")
        if ends is not None and ends - now < CERTIFICATE_SOON:
            yield Finding(
                Verdict.WARNING, f"the broker's certificate ends at {iso(ends)}: then nobody connects any more",
                "caretaker agents prepare --host … makes a new one; then reload the broker",
            )  # fmt: skip
    yield from _broker_security(settings, host)


def _reach(settings: Settings, host: str, port: int) -> int | None:
    """Connect once; when the broker's certificate ends (UTC ms), None without TLS. OSError when that fails."""
    if not settings.broker_url.startswith("mqtts:"):
        socket.create_connection((host, port), timeout=3).close()
        return None
    path = settings.broker.ca_file
    try:
        context = ssl.create_default_context(cafile=None if path is None else str(path))
    except OSError as error:
        raise CaretakerError(f"broker.ca_file: {path} cannot be used: {error.strerror or error}",
                             "name the authority's certificate (PEM), readable to this user") from None  # fmt: skip
    with (
        socket.create_connection((host, port), timeout=3) as plain,
        context.wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        certificate = encrypted.getpeercert() or {}
        return ssl.cert_time_to_seconds(str(certificate["notAfter"])) * SECOND


def _broker_security(settings: Settings, host: str) -> Iterator[Finding]:
    """Whoever reaches a broker without credentials can invent readings and silence alarms."""
    try:
        user, _ = settings.broker_credential
    except CaretakerError as error:
        yield Finding(Verdict.WRONG, f"broker.password_file: {error.message}", error.remedy)
        return
    encrypted = settings.broker_url.startswith("mqtts:")
    if not _is_loopback(host):
        if not user:
            yield Finding(
                Verdict.WARNING, f"the broker {host} is used without credentials: anybody there can publish and read",
                "docs/brokers.md secures it step by step (caretaker agents prepare)",
            )  # fmt: skip
        elif not encrypted:
            yield Finding(
                Verdict.WARNING, f"the password for the broker {host} crosses the network in clear",
                "use TLS: broker.url = mqtts://…, see docs/brokers.md",
            )  # fmt: skip
    path = settings.broker.password_file
    if path is not None and path.stat().st_mode & 0o077:
        yield Finding(Verdict.WARNING, f"others can read the password file {path}", f"chmod 600 {path}")
    if settings.broker.ca_file is not None and not encrypted:
        yield Finding(Verdict.WARNING, "broker.ca_file is set, but the connection is not encrypted", "write mqtts://")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _stores(settings: Settings, store: OperationalStore) -> Iterator[Finding]:
    try:
        with closing(open_series(settings)) as series:
            count = sum(series.count(site) for site in store.sites())
        yield Finding(Verdict.OK, f"series store answers, {count:,} readings")
    except CaretakerError as error:
        yield Finding(Verdict.WRONG, f"series store: {error.message}", error.remedy)
    for site in store.sites():
        lag = store.journal_end(site) - store.cursor(site, "series")
        if lag > 1000:
            yield Finding(
                Verdict.WARNING, f"{site}: the series store is {lag} journal entries behind", "see the log of ingest"
            )


def _site(store: OperationalStore, site: str) -> Iterator[Finding]:
    revision, rules = store.site_revision(site), store.rules_revision(site)
    assert revision is not None
    try:
        catalogue = load_catalogue(revision.documents[0][1], revision.documents[0][0])
        points = len(catalogue.by_name)
        yield Finding(
            Verdict.OK, f"{site}: {len(catalogue.assets)} assets, {points} points, revision {revision.number}"
        )
        if rules is not None:
            yield Finding(Verdict.OK, f"{site}: {len(load_revision(rules).rules)} rules, revision {rules.number}")
    except InputError as error:
        yield Finding(
            Verdict.WRONG, f"{site}: what is stored cannot be read: {error.message}", "mend the file and apply it again"
        )
    if rules is None:
        yield Finding(
            Verdict.WRONG, f"{site}: no rules, so no alarms", f"caretaker rules apply pack:cn-canteen --site {site}"
        )
    if store.commissioned_at(site) is None:
        yield Finding(
            Verdict.WARNING, f"{site} is being commissioned: alarms ask nothing of anybody",
            f"when it is ready: caretaker site commission {site}",
        )  # fmt: skip


def _processes(settings: Settings, store: OperationalStore, now: int) -> Iterator[Finding]:
    if running_supervisor(settings.run_dir) is None:
        yield Finding(Verdict.WARNING, "caretaker up does not run here", "start it, or run each process as a service")
    for row in store.processes():
        age = now - row.beat_at
        if age > BEAT_TOO_OLD:
            silent = format_duration(age // SECOND * SECOND)
            yield Finding(
                Verdict.WRONG, f"{row.name} gave its last sign of life {silent} ago",
                "caretaker ps shows whether it runs; its log says why not",
            )  # fmt: skip
        else:
            yield Finding(Verdict.OK, f"{row.name} runs (process {row.pid})")
            yield from _troubles(row)


def _troubles(row: ProcessRow) -> Iterator[Finding]:
    """What a process says of itself that a person must mend; see docs/ingest.md."""
    info = json.loads(row.info)
    for what, remedy in (
        ("journal_full", "the series store must catch up; see the log of ingest"),
        ("disk_full", "make room on the disk of the operational store"),
    ):
        for site in info.get(what, ()):
            short = what.replace("_", " ")
            yield Finding(Verdict.WRONG, f"{site}: {short}: no readings are taken, agents hold", remedy)
    for site, clocks in info.get("wrong_clocks", {}).items():
        for agent, skew in clocks.items():
            off = f"{format_duration(abs(skew) // SECOND * SECOND)} {'ahead' if skew > 0 else 'behind'}"
            yield Finding(Verdict.WRONG, f"{site}: the clock of agent {agent} is {off}", "set it, best by NTP")
    if info.get("unjudged"):
        yield Finding(Verdict.WRONG, f"{row.name}: {info['unjudged']} packs were stored without being judged",
                      "the log of ingest shows the defect: report it")  # fmt: skip


def _agents(store: OperationalStore, site: str, now: int) -> Iterator[Finding]:
    agents = store.agents(site)
    if not agents:
        yield Finding(
            Verdict.WARNING, f"{site}: no agent has ever announced itself", "docs/edge.md shows how to start one"
        )
    for row in agents:
        if row.online:
            yield Finding(Verdict.OK, f"{site}: agent {row.agent} is online")
        else:
            since = format_duration((now - row.since) // SECOND * SECOND)
            yield Finding(
                Verdict.WRONG, f"{site}: agent {row.agent} is offline since {since}", "check its power and network"
            )


def _points(store: OperationalStore, site: str, now: int) -> Iterator[Finding]:
    latest = store.latest(site)
    revision = store.site_revision(site)
    assert revision is not None
    with suppress(InputError):  # told by `_site`
        seen = {row.point for row in latest}
        catalogue = load_catalogue(revision.documents[0][1], revision.documents[0][0])
        never = [name for name in catalogue.by_name if name not in seen]
        if never:
            yield Finding(
                Verdict.WARNING, f"{site}: {len(never)} points have never sent a reading, e.g. {never[0]}",
                "the board shows them as unknown; does an agent publish them?",
            )  # fmt: skip
    stale = [row.point for row in latest if now - row.time > HOUR]
    if stale:
        yield Finding(Verdict.WARNING, f"{site}: {len(stale)} points are silent for over an hour, e.g. {stale[0]}",
                      "the board shows them as unknown; check the sensor")  # fmt: skip
    found = store.discoveries(site)
    if found:
        yield Finding(
            Verdict.WARNING, f"{site}: {len(found)} published points are not in the site file, e.g. {found[0].point}",
            "add them to the site file, so that they are judged",
        )  # fmt: skip


def _refused(store: OperationalStore) -> Iterator[Finding]:
    known = store.sites()
    by_site: dict[str, list[DeadLetter]] = {}
    for letter in store.dead_letters(None, MOST_LETTERS):
        by_site.setdefault(letter.site if letter.site in known else "unknown site", []).append(letter)
    for site, letters in sorted(by_site.items()):
        newest = letters[0]
        yield Finding(Verdict.WARNING, f"{site}: {len(letters)} messages were refused, the newest as {newest.reason}: "
                      f"{printable(newest.detail)}", "caretaker dead-letters lists them")  # fmt: skip


def _audit(store: OperationalStore, site: str) -> Iterator[Finding]:
    broken = store.verify_audit(site)
    if broken is not None:
        yield Finding(Verdict.WRONG, f"{site}: the audit was tampered with: {broken}", "compare it with a backup")
    else:
        yield Finding(Verdict.OK, f"{site}: the audit's chain is whole")
