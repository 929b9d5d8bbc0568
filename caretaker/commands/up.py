"""`caretaker up`: everything that one configuration file describes, in supervised processes."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from caretaker.settings import Settings
    from caretaker.supervisor import Supervisor

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings file; default caretaker.toml if present.")
]


def up(config: Config = None) -> None:
    """Run broker (when embedded), ingest, web and notify; Ctrl-C stops them in order."""
    from caretaker.process import now_ms, stop_on_signals
    from caretaker.settings import child_environment, load_settings
    from caretaker.supervisor import Supervisor, claim_run_dir
    from caretaker.wiring import apply_configured, open_operational

    settings = load_settings(config)
    claim_run_dir(settings.run_dir)
    store = open_operational(settings)
    try:
        sites = apply_configured(settings, store, now_ms())
    finally:
        store.close()
    if not sites:
        typer.echo("No site is described yet: caretaker site apply FILE (see examples/school/site.yaml)", err=True)
    stop = stop_on_signals()
    supervisor = Supervisor(settings.run_dir, child_environment(), lambda line: typer.echo(line, err=True))
    try:
        start_core(supervisor, settings, config, stop.is_set)
        typer.echo(
            f"Caretaker watches {', '.join(sites) or 'nothing yet'}: http://{settings.web.host}:{settings.web.port}/"
        )
        while not stop.wait(0.2):
            supervisor.tick()
    finally:
        supervisor.stop()


def start_core(
    supervisor: "Supervisor",
    settings: "Settings",
    config: Path | None,
    stopped: Callable[[], bool],
    logs: Path | None = None,
) -> None:
    """Start broker, ingest, web and notify, the broker first so that nobody's first attempt fails."""
    from caretaker.settings import EMBEDDED
    from caretaker.supervisor import ChildSpec, own_command

    words = ("--config", str(config)) if config else ()
    if settings.broker.url == EMBEDDED:
        refuse_taken_port(settings.broker.port, "broker.port")
        supervisor.add(ChildSpec("broker", own_command("broker", *words), _log(logs, "broker")))
        wait_for_port("127.0.0.1", settings.broker.port, stopped)
    refuse_taken_port(settings.web.port, "web.port", settings.web.host)
    for name in ("ingest", "web", "notify"):
        supervisor.add(ChildSpec(name, own_command(name, *words), _log(logs, name)))


def _log(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / f"{name}.log"


def refuse_taken_port(port: int, setting: str, host: str = "127.0.0.1") -> None:
    """CaretakerError when another program listens on the port."""
    import socket

    from domain.errors import CaretakerError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CaretakerError(
                f"{host}:{port} cannot be listened on: {error.strerror}", f"stop the other program or set {setting}"
            ) from None


def wait_for_port(host: str, port: int, stopped: Callable[[], bool], patience: float = 20.0) -> bool:
    """Wait until somebody listens there; False when `stopped` or out of patience (seconds)."""
    import socket
    import time

    deadline = time.monotonic() + patience
    while not stopped() and time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=0.5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False
