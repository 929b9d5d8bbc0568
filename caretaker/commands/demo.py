"""`caretaker demo`: a watched canteen on this machine, from one command."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_SITE = Path(__file__).parents[2] / "examples" / "school" / "site.yaml"


def demo(
    run_for: Annotated[str, typer.Option("--for", help="End by itself this long after going live, e.g. 90s.")] = "",
    broker: Annotated[str, typer.Option(help="Use this broker, e.g. mqtt://localhost:1883; default: embedded.")] = "",
    days: Annotated[int, typer.Option(min=1, max=60, help="Days of history.")] = 7,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated plant.")] = 1,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the page; 0: the first free one from 8420 on.")
    ] = 0,
    data_dir: Annotated[Path, typer.Option(help="Folder of the demonstration; cleared at its start.")] = Path(
        "demo-data"
    ),
    record: Annotated[bool, typer.Option(help="Keep the simulators' own record of every reading.")] = False,
) -> None:
    """Show a school's canteens and plant room live: a week of history, then a failing fridge and a boiler fault."""
    from caretaker.demo import Demo, DemoOptions
    from caretaker.process import stop_on_signals
    from domain.errors import CaretakerError
    from domain.times import SECOND, parse_duration

    try:
        seconds = parse_duration(run_for) / SECOND if run_for else None
    except ValueError as error:
        raise CaretakerError(f"--for: {error}") from None
    options = DemoOptions(
        data_dir=data_dir.absolute(),
        site_file=DEFAULT_SITE,
        days=days,
        seed=seed,
        broker=broker,
        web_port=port or free_port(8420),
        broker_port=free_port(18830),
        run_for=seconds,
        record=record,
    )
    stop = stop_on_signals()
    bar = Bar()
    try:
        code = Demo(options, bar.say, stop.is_set).run(bar)
    finally:
        bar.end()
    raise typer.Exit(code)


def free_port(first: int) -> int:
    """The first port from `first` on that nobody listens on at the loopback address."""
    import socket

    from domain.errors import CaretakerError

    for port in range(first, first + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise CaretakerError(f"no free port from {first} to {first + 199}", "stop some of the programs that listen there")


class Bar:
    """A progress bar for people; plain lines where the output is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(highlight=False, soft_wrap=True)
        columns = (
            TextColumn("history"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("readings"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task: int | None = None
        self._total = 0
        self._next_line = 0.0

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(line, markup=False)

    def begin(self, total: int) -> None:
        """`total` readings are to come."""
        self._total = total
        if self._console.is_terminal:
            self._bar.start()
            self._task = self._bar.add_task("history", total=total)

    def show(self, done: int) -> None:
        """`done` of them are stored."""
        if self._task is not None:
            from rich.progress import TaskID

            self._bar.update(TaskID(self._task), completed=done)
        elif self._total and done / self._total >= self._next_line:
            self.say(f"history: {100 * done // self._total} % of {self._total:,} readings")
            self._next_line = done / self._total + 0.25

    def end(self) -> None:
        """All are stored, or the demonstration ends."""
        if self._task is not None:
            self._bar.stop()
            self._task = None
