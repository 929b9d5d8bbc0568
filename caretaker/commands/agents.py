"""`caretaker agents …`: the credentials of a secured broker, and the files from which Mosquitto serves them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caretaker.commands.up import Config

if TYPE_CHECKING:
    from caretaker.agents import Issued
    from caretaker.brokerfiles_folder import BrokerFolder
    from caretaker.settings import Settings
    from store.operational.store import OperationalStore

app = typer.Typer(no_args_is_help=True, help="Credentials of agents and ingest at a secured broker.")
By = Annotated[str, typer.Option(help="Who does this, for the audit.")]
Site = Annotated[str, typer.Argument(help="The site's id.")]
Agent = Annotated[str, typer.Argument(help="The agent's id.")]
Folder = Annotated[
    Path | None, typer.Option("--broker-dir", help="Folder of Mosquitto's files; default broker.files_dir.")
]
Renew = Annotated[bool, typer.Option("--renew", help="Make a new password where there is one already.")]


@app.command("prepare")
def prepare(
    host: Annotated[
        list[str] | None,
        typer.Option(help="Name or IP address by which agents reach the broker; makes its certificate. Repeatable."),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the broker listens for TLS.")] = 8883,
    seen_as: Annotated[
        str, typer.Option(help="The folder's path as the broker sees it, e.g. in its container; default: the same.")
    ] = "",
    broker_dir: Folder = None,
    config: Config = None,
    by: By = "command line",
) -> None:
    """Make what Mosquitto needs: certificate, listener, access rules, and the credential of this ingest worker."""
    from caretaker.agents import prepare as prepare_folder

    with _opened(config, broker_dir) as (settings, folder, store):
        prepare_folder(folder, settings.data_dir / "authority", host or [], port, seen_as)
        typer.echo(f"{folder.path}: caretaker.conf and all that it names")
        if host:
            typer.echo(f"The authority's key is {settings.data_dir / 'authority' / 'ca.key'}: keep it from the broker")
        _add_worker(settings, folder, store, settings.worker, renew=False, by=by)


@app.command("worker")
def worker(
    name: Annotated[str, typer.Argument(help="The worker's name, as in its setting `worker`.")],
    renew: Renew = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take its credential back instead.")] = False,
    broker_dir: Folder = None,
    config: Config = None,
    by: By = "command line",
) -> None:
    """Issue the credential of a further ingest worker."""
    from caretaker.agents import revoke_worker
    from caretaker.process import now_ms

    with _opened(config, broker_dir) as (settings, folder, store):
        if not revoke:
            _add_worker(settings, folder, store, name, renew=renew, by=by)
        elif revoke_worker(folder, store, name, by=by, now=now_ms()):
            typer.echo(f"Ingest worker {name} has no credential any more. {_reread()}")
        else:
            typer.echo(f"Ingest worker {name} has no credential.")


@app.command("add")
def add(
    site: Site,
    agent: Agent,
    kit: Annotated[
        Path | None,
        typer.Option(help="Write password, ca.crt and edge.toml into this folder, for copying to the agent's box."),
    ] = None,
    address: Annotated[
        str, typer.Option(help="The broker as the agent reaches it, mqtts://host[:port]; default broker.url.")
    ] = "",
    renew: Renew = False,
    broker_dir: Folder = None,
    config: Config = None,
    by: By = "command line",
) -> None:
    """Give an agent its credential: it may publish under its own topics and read its own receipt, nothing else."""
    from caretaker.agents import add_agent, write_kit
    from caretaker.brokerfiles_folder import AUTHORITY
    from caretaker.process import now_ms

    with _opened(config, broker_dir) as (settings, folder, store):
        reached = _address(address, settings) if kit else ""
        issued = add_agent(folder, store, site, agent, renew=renew, by=by, now=now_ms())
        if issued is None:
            typer.echo(f"{site}.{agent} has a credential already; --renew makes a new one")
            return
        if kit is None:
            _show(issued)
        else:
            authority = folder.text(AUTHORITY).encode() if reached.startswith("mqtts:") else b""
            for path in write_kit(kit, issued, reached, authority):
                typer.echo(f"{path}")
        typer.echo(_reread())


@app.command("revoke")
def revoke(site: Site, agent: Agent, broker_dir: Folder = None, config: Config = None, by: By = "command line") -> None:
    """Take an agent's credential back."""
    from caretaker.agents import revoke_agent
    from caretaker.process import now_ms

    with _opened(config, broker_dir) as (_, folder, store):
        if revoke_agent(folder, store, site, agent, by=by, now=now_ms()):
            typer.echo(f"{site}.{agent} has no credential any more. {_reread()}")
        else:
            typer.echo(f"{site}.{agent} has no credential.")


@app.command("list")
def list_accounts(broker_dir: Folder = None, config: Config = None) -> None:
    """List who has a credential."""
    from caretaker.brokerfiles_folder import BrokerFolder
    from caretaker.settings import load_settings

    folder = BrokerFolder(_folder(load_settings(config), broker_dir))
    accounts = folder.accounts()
    for account in accounts:
        typer.echo(f"{account.user:<32} {account.role}")
    if not accounts:
        typer.echo(f"Nobody has a credential in {folder.path}.")


def _folder(settings: "Settings", broker_dir: Path | None) -> Path:
    return broker_dir or settings.broker.files_dir or settings.data_dir / "mosquitto"


@contextmanager
def _opened(
    config: Path | None, broker_dir: Path | None
) -> "Iterator[tuple[Settings, BrokerFolder, OperationalStore]]":
    from caretaker.brokerfiles_folder import BrokerFolder
    from caretaker.settings import load_settings
    from caretaker.wiring import open_operational

    settings = load_settings(config)
    store = open_operational(settings)
    try:
        yield settings, BrokerFolder(_folder(settings, broker_dir)), store
    finally:
        store.close()


def _add_worker(
    settings: "Settings", folder: "BrokerFolder", store: "OperationalStore", name: str, *, renew: bool, by: str
) -> None:
    from caretaker.agents import add_worker, write_password
    from caretaker.process import now_ms

    issued = add_worker(folder, store, name, renew=renew, by=by, now=now_ms())
    if issued is None:
        typer.echo(f"Ingest worker {name} has a credential already")
        return
    path = settings.data_dir / "credentials" / f"{name}.password"
    write_password(path, issued.password)
    typer.echo(f"{path}: the password of {issued.account.user}, for broker.password_file\n{_reread()}")


def _show(issued: "Issued") -> None:
    typer.echo(f"user and client id: {issued.account.user}")
    typer.echo(f"password (shown this once): {issued.password}")


def _address(given: str, settings: "Settings") -> str:
    from urllib.parse import urlsplit

    from caretaker.settings import EMBEDDED, is_broker_address
    from domain.errors import CaretakerError

    url = given or settings.broker.url
    remedy = "give --address mqtts://HOST, by the name that is in the broker's certificate"
    if url == EMBEDDED:
        raise CaretakerError("broker.url is the embedded broker, which has no credentials", remedy)
    if not is_broker_address(url):
        raise CaretakerError("--address is no address of a broker", remedy)
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _reread() -> str:
    from caretaker.agents import REREAD

    return f"Let the broker reread its files: {REREAD}"
