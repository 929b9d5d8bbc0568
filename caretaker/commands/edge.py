"""`caretaker edge`: the agent with its own kinds of sources, and the simulated plant when one is asked for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from domain.source import Source

Config = Annotated[Path, typer.Option("--config", "-c", help="The agent's TOML file, see docs/edge.md.")]


def edge(
    config: Config,
    check: Annotated[bool, typer.Option("--check", help="Only check the file and open every source once.")] = False,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="End when a replay is over and everything is receipted.")
    ] = False,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Read sensors, meters or recordings and publish them; keep what is not receipted yet on disk."""
    from caretaker.process import end_with_parent, set_up_logging
    from domain.errors import CaretakerError
    from edge import run

    if log_level not in ("debug", "info", "warning", "error"):
        raise CaretakerError(f"--log-level {log_level} is not known", "use debug, info, warning or error")
    set_up_logging(log_level, "text", "edge")
    if check:
        found = run.check(config, SOURCES)
        typer.echo(f"{config}: agent {found.agent} of site {found.site} would publish to {found.broker!r}")
        return
    if _supervised():
        end_with_parent()
    run.run(config, SOURCES, until_done=until_done)


def _simulated(options: Mapping[str, Any]) -> "Source":
    """The simulated plant; imported only now, because it needs the server's parts."""
    from simulators.source import SimulatedSource

    source: Source = SimulatedSource.from_options(dict(options))
    return source


SOURCES: Mapping[str, Callable[[Mapping[str, Any]], "Source"]] = {"simulated": _simulated}


def _supervised() -> bool:
    """Whether `caretaker demo` or `up` started this process; on a bare agent there are no settings to ask."""
    try:
        from caretaker.settings import supervised
    except ModuleNotFoundError:
        return False
    return supervised()
