"""Issues, lists and takes back the credentials with which agents and ingest workers connect to a secured broker.

For `caretaker agents`. It decides who gets one and records it in the site's audit; what the broker's files say is
decided in `brokerfiles`. A password exists in clear only in what is handed back (and in the kit, a folder to copy to
the agent's box): the broker keeps a hash, Caretaker keeps nothing.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from caretaker.brokerfiles import (
    SALT_BYTES,
    Account,
    agent_account,
    listener,
    password_line,
    users,
    with_line,
    without_user,
    worker_account,
)
from caretaker.brokerfiles_folder import (
    AUTHORITY,
    CERTIFICATE,
    KEY,
    LISTENER,
    PASSWORDS,
    PRIVATE,
    PUBLIC,
    BrokerFolder,
    make_folder,
    write_whole,
)
from caretaker.brokerfiles_tls import alternative_names, make_authority, make_server
from domain.errors import CaretakerError, NotFoundError
from store.operational.store import OperationalStore

PASSWORD_BYTES = 24
REREAD = "systemctl reload mosquitto, or kill -HUP and its process id"


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential that was just made; nobody can read the password again."""

    account: Account
    password: str

    def __repr__(self) -> str:
        return f"Issued({self.account.user})"


def prepare(folder: BrokerFolder, authority: Path, hosts: Sequence[str], port: int, seen_as: str) -> None:
    """Write the listener's settings, and for `hosts` a certificate by the authority kept in that folder.

    Without hosts the certificate is the user's own, which must lie in the folder. `seen_as`: the folder's path where
    the broker runs, empty for the same. CaretakerError when a part is missing.
    """
    path = seen_as or str(folder.path.absolute())
    if any(sign.isspace() for sign in path):
        raise CaretakerError(f"Mosquitto reads no path with spaces: {path}", "choose another --broker-dir")
    if hosts:
        alternative_names(hosts)  # before anything is made
        pair = make_authority(authority)
        key, certificate = make_server(pair, hosts)
        with folder.locked():
            folder.write(KEY, key, PRIVATE)
            folder.write(CERTIFICATE, certificate, PUBLIC)
            folder.write(AUTHORITY, pair[1].read_bytes(), PUBLIC)
    elif not ((folder.path / CERTIFICATE).exists() and (folder.path / KEY).exists()):
        raise CaretakerError(
            f"{folder.path} has no {CERTIFICATE} and {KEY}",
            "give --host NAME to have them made, or put your own there",
        )
    with folder.locked():
        folder.write(LISTENER, listener(path, port).encode(), PRIVATE)
    folder.change_passwords(lambda text: text)


def add_agent(
    folder: BrokerFolder, store: OperationalStore, site: str, agent: str, *, renew: bool, by: str, now: int
) -> Issued | None:
    """Give the agent a credential; None when it has one and `renew` is not asked for."""
    account = _checked(site, agent)
    if site not in store.sites():
        known = ", ".join(store.sites())
        raise NotFoundError(
            f"there is no site {site!r}", f"known: {known}" if known else "describe it first: caretaker site apply FILE"
        )
    return _issue(folder, store, account, [site], renew=renew, by=by, now=now)


def add_worker(
    folder: BrokerFolder, store: OperationalStore, worker: str, *, renew: bool, by: str, now: int
) -> Issued | None:
    """Give an ingest worker a credential; None when it has one. It serves every site, so each one's audit tells."""
    try:
        account = worker_account(worker)
    except ValueError as error:
        raise CaretakerError(str(error)) from None
    return _issue(folder, store, account, store.sites(), renew=renew, by=by, now=now)


def revoke_agent(folder: BrokerFolder, store: OperationalStore, site: str, agent: str, *, by: str, now: int) -> bool:
    """Take the agent's credential back; whether it had one. The broker still has to reread its files."""
    account = _checked(site, agent)
    return _take_back(folder, store, account, [site], by=by, now=now)


def revoke_worker(folder: BrokerFolder, store: OperationalStore, worker: str, *, by: str, now: int) -> bool:
    """Take an ingest worker's credential back; whether it had one."""
    try:
        account = worker_account(worker)
    except ValueError as error:
        raise CaretakerError(str(error)) from None
    return _take_back(folder, store, account, store.sites(), by=by, now=now)


def write_password(path: Path, password: str) -> None:
    """Keep a password in a file that only its owner can read. CaretakerError when it cannot be written."""
    try:
        make_folder(path.parent, 0o700)
        write_whole(path, f"{password}\n".encode(), PRIVATE)
    except OSError as error:
        raise CaretakerError(f"{path} cannot be written: {error.strerror}", "choose another folder") from None


def write_kit(kit: Path, issued: Issued, address: str, authority: bytes) -> list[Path]:
    """The folder to copy to the agent's box: password, authority and configuration; what was written.

    A configuration that is there already stays: it may describe the sensors by now.
    """
    account = issued.account
    write_password(kit / "password", issued.password)
    written = [kit / "password"]
    files = [("ca.crt", authority)] if authority else []
    if not (kit / "edge.toml").exists():
        files.append(("edge.toml", agent_config(account, address, bool(authority)).encode()))
    for name, content in files:
        try:
            write_whole(kit / name, content, PUBLIC)
        except OSError as error:
            raise CaretakerError(f"{kit / name} cannot be written: {error.strerror}", "choose another --kit") from None
        written.append(kit / name)
    return written


def agent_config(account: Account, address: str, authority: bool) -> str:
    """The agent's TOML file, complete but for its sources. `address`: `mqtts://host[:port]`."""
    scheme, _, rest = address.partition("://")
    lines = [
        "# Copy this folder to the agent's box, keep it readable to the agent alone, and describe the sensors below.",
        f'site = "{account.site}"',
        f'agent = "{account.name}"',
        f'broker = "{scheme}://{account.user}@{rest}"',
        'password_file = "password"',
        *(['ca_file = "ca.crt"'] if authority else []),
        'data_dir = "data"',
        "",
        "# Then one table for each source of readings: docs/edge.md lists the kinds, for example",
        "# [[source]]",
        '# kind = "onewire"',
        "# [source.sensors]",
        '# "28-0316a2795abc" = "fridge-1/temperature"',
        "",
    ]
    return "\n".join(lines)


def _checked(site: str, agent: str) -> Account:
    try:
        return agent_account(site, agent)
    except ValueError as error:
        raise CaretakerError(str(error)) from None


def _issue(
    folder: BrokerFolder, store: OperationalStore, account: Account, sites: Sequence[str],
    *, renew: bool, by: str, now: int,
) -> Issued | None:  # fmt: skip
    present = account.user in users(folder.text(PASSWORDS))
    if present and not renew:
        folder.change_passwords(lambda text: text)  # the access file may be missing or of an older version
        return None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    line = password_line(account.user, password, secrets.token_bytes(SALT_BYTES))
    # The audit first: a credential that nobody knows of must not exist.
    _note(store, sites, "broker_credential_renewed" if present else "broker_credential_issued", account, by, now)
    folder.change_passwords(lambda text: with_line(text, line))
    return Issued(account, password)


def _take_back(
    folder: BrokerFolder, store: OperationalStore, account: Account, sites: Sequence[str], *, by: str, now: int
) -> bool:
    if account.user not in users(folder.text(PASSWORDS)):
        return False
    # The files first: the loss of a box must not wait for a store that does not answer.
    folder.change_passwords(lambda text: without_user(text, account.user))
    _note(store, sites, "broker_credential_revoked", account, by, now)
    return True


def _note(store: OperationalStore, sites: Sequence[str], action: str, account: Account, by: str, now: int) -> None:
    for site in sites:
        store.note(site, now, by, action, {"user": account.user, "role": str(account.role)})
