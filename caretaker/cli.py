"""The command `caretaker`: registers every command and turns errors a person can mend into a message and exit code 2.

A command lives in `caretaker.commands.<name>`; those modules import nothing heavy at their top, because the edge agent
must start without numpy or a web stack.
"""

import importlib
import sys
from typing import Any

import typer

from domain.errors import CaretakerError

# command -> (module, function); the order is the order of `caretaker --help`.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "demo"),
    "up": ("up", "up"),
    "ps": ("ps", "ps"),
    "doctor": ("doctor", "doctor"),
    "edge": ("edge", "edge"),
    "ingest": ("ingest", "ingest"),
    "web": ("web", "web"),
    "notify": ("notify", "notify"),
    "broker": ("broker", "broker"),
    "simulate": ("simulate", "simulate"),
    "backtest": ("backtest", "backtest"),
    "quality": ("quality", "quality"),
    "coverage": ("coverage", "coverage"),
    "bench": ("bench", "bench"),
    "alarmbench": ("alarmbench", "alarmbench"),
    "backup": ("backup", "backup"),
    "restore": ("backup", "restore"),
    "move": ("move", "move"),
}
GROUPS: dict[str, tuple[str, str]] = {
    "site": ("site", "app"), "rules": ("rules", "app"), "agents": ("agents", "app"),
    "dead-letters": ("dead_letters", "app"), "alarms": ("alarms", "app"),
}  # fmt: skip
# What `caretaker[server]` adds to the agent, as it is imported.
SERVER_PARTS = frozenset({
    "alembic", "amqtt", "apprise", "babel", "fastapi", "influxdb_client", "jinja2", "multipart", "numpy",
    "prometheus_client", "psycopg", "pydantic", "pydantic_settings", "python_multipart", "rich", "sqlalchemy",
    "starlette", "uvicorn", "vl_convert", "yaml",
})  # fmt: skip


def build() -> typer.Typer:
    """The application with every command registered."""
    app = typer.Typer(
        name="caretaker",
        help="Watches the canteens and facilities of schools: cold chain, energy and equipment.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, (module, function) in COMMANDS.items():
        app.command(name)(_load(module, function))
    for name, (module, group) in GROUPS.items():
        app.add_typer(_load(module, group), name=name)
    return app


def _load(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"caretaker.commands.{module}"), name)


def main() -> None:
    """Run the command line; exit code 2 for a mistake that a person can mend, without a traceback."""
    try:
        build()()
    except CaretakerError as error:
        sys.stderr.write(f"caretaker: {error}\n")
        sys.exit(2)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] in SERVER_PARTS:
            sys.stderr.write(f"caretaker: this command needs the server parts ({error.name} is missing)\n")
            sys.stderr.write("  remedy: pip install 'caretaker[server]'\n")
            sys.exit(2)
        raise
