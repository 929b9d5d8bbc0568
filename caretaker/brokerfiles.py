"""What Mosquitto's files say: who may connect, and which topics each may read and write.

For `caretaker agents`, which keeps the files in a folder (see `brokerfiles_folder`). Only text in and text out: no
file, no clock, no randomness here. The password file is the one record of who has a credential; the access file is
made from it. Lines that a person wrote into either file stay.

A user name says what its owner may do, and is his client id: `site.agent` for an agent (no id has a dot), and
`caretaker-NAME` for the ingest worker NAME.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from domain.ids import check_id, is_id
from wire.messages import MAX_MESSAGE_BYTES
from wire.topics import ROOT, client_id, receipt_topic, unsequenced_topic

# Mosquitto's own default is 101. The passwords are random, 192 bits each: stretching adds nothing, and each connection
# costs the broker's only thread this many rounds (1,000: about a millisecond).
ITERATIONS = 1_000
SALT_BYTES = 12  # the length that Mosquitto 2.0 expects
QUEUED_MESSAGES = 20_000  # for each client that is away; Mosquitto's 1,000 are 16 agents' windows
QUEUED_BYTES = 256 * 1024 * 1024
FORGET_CLIENTS_AFTER = "14d"

BEGIN = "# --- written by caretaker agents: begin; changes in here are lost ---"
END = "# --- written by caretaker agents: end ---"
_WORKER = "caretaker-"
_HEAD = "# Written by caretaker agents; see docs/brokers.md. Changes are lost."


class Role(StrEnum):
    """What the owner of a credential is."""

    AGENT = "agent"
    WORKER = "ingest worker"
    OTHER = "other"  # a person's own entry, left alone


@dataclass(frozen=True, slots=True)
class Account:
    """One user name of the broker; `site` and `name` are those of an agent, a worker has only a `name`."""

    role: Role
    user: str
    site: str = ""
    name: str = ""


def agent_account(site: str, agent: str) -> Account:
    """The account of an agent. ValueError when an id is not legal."""
    return Account(Role.AGENT, client_id(site, agent), site, agent)


def worker_account(worker: str) -> Account:
    """The account of an ingest worker. ValueError when its name is no id."""
    return Account(Role.WORKER, _WORKER + check_id(worker, "worker"), name=worker)


def read_account(user: str) -> Account:
    """Whose user name that is."""
    site, dot, agent = user.partition(".")
    if dot and is_id(site) and is_id(agent):
        return Account(Role.AGENT, user, site, agent)
    worker = user.removeprefix(_WORKER)
    if worker != user and is_id(worker):
        return Account(Role.WORKER, user, name=worker)
    return Account(Role.OTHER, user)


def password_line(user: str, password: str, salt: bytes) -> str:
    """A line of Mosquitto's password file: `user:$7$iterations$salt$hash`, PBKDF2 with SHA-512, both in base 64."""
    return f"{user}:$7${ITERATIONS}${_base64(salt)}${_base64(_derive(password, salt, ITERATIONS))}"


def password_matches(line: str, password: str) -> bool:
    """Whether that line of a password file was made from that password; False for a line in another format."""
    parts = line.rstrip().partition(":")[2].split("$")
    if len(parts) != 5 or parts[:2] != ["", "7"] or not parts[2].isdecimal():
        return False
    try:
        salt, expected = (base64.b64decode(part, validate=True) for part in parts[3:])
    except ValueError:
        return False
    return hmac.compare_digest(_derive(password, salt, int(parts[2])), expected)


def users(passwords: str) -> list[str]:
    """The user names in the text of a password file, in its order."""
    return [line.partition(":")[0] for line in passwords.splitlines() if ":" in line]


def with_line(passwords: str, line: str) -> str:
    """The password file's text with that user's line, in the place of the former one or at the end."""
    user = line.partition(":")[0]
    lines = passwords.splitlines()
    found = [number for number, present in enumerate(lines) if present.partition(":")[0] == user]
    if found:
        lines[found[0]] = line
    else:
        lines.append(line)
    return "\n".join(lines) + "\n"


def without_user(passwords: str, user: str) -> str:
    """The password file's text without that user."""
    return "".join(f"{line}\n" for line in passwords.splitlines() if line.partition(":")[0] != user)


def access_rules(account: Account) -> list[str]:
    """The topics of one account, as lines of Mosquitto's access file; what is not listed is forbidden."""
    match account.role:
        case Role.AGENT:
            readings = unsequenced_topic(account.site, account.name)
            receipt = receipt_topic(account.site, account.name)
            base = readings.removesuffix("readings")
            return [
                f"user {account.user}",
                f"topic write {readings}/#",
                f"topic write {base}birth",
                f"topic write {base}status",
                f"topic read {receipt}",
            ]
        case Role.WORKER:
            return [
                f"user {account.user}",
                f"topic read {ROOT}/#",
                f"topic write {ROOT}/+/agents/+/receipt",
                f"topic write {ROOT}/+/alarms/#",
            ]
        case Role.OTHER:
            return []


def access_file(present: str, accounts: list[Account]) -> str:
    """The access file's text: what a person wrote around our part stays, our part is made anew.

    ValueError when our part begins in `present` and does not end.
    """
    head, found, rest = present.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if found and not ended:
        raise ValueError(f"the line {END!r} is missing")
    own = "".join(f"\n{chr(10).join(rules)}\n" for account in accounts if (rules := access_rules(account)))
    head = head if not head or head.endswith("\n") else f"{head}\n"
    return f"{head}{BEGIN}\n{own}\n{END}{tail or chr(10)}"


def listener(folder: str, port: int) -> str:
    """Mosquitto's settings: one encrypted listener, nobody without a credential, bounded queues.

    `folder` is where the broker sees the files. The settings of who may connect hold for every listener (Mosquitto's
    default), so that one that is added later is not open by accident. Debian's own file sets where to persist.
    """
    return "\n".join([
        _HEAD,
        f"listener {port}",
        f"certfile {folder}/server.crt",
        f"keyfile {folder}/server.key",
        "tls_version tlsv1.2",
        "",
        "allow_anonymous false",
        f"password_file {folder}/passwords",
        f"acl_file {folder}/access",
        "# Nobody can take over another's session: the client id is the user name, whatever the client says.",
        "use_username_as_clientid true",
        "",
        "persistence true",
        "autosave_interval 60",
        f"persistent_client_expiration {FORGET_CLIENTS_AFTER}",
        f"message_size_limit {MAX_MESSAGE_BYTES}",
        f"max_queued_messages {QUEUED_MESSAGES}",
        f"max_queued_bytes {QUEUED_BYTES}",
        "",
    ])  # fmt: skip


def _derive(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
