"""What every process of Caretaker does at its start: logs in one format, a clean stop, ending with its parent."""

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import MutableMapping
from types import FrameType
from typing import Any

import structlog

_PR_SET_PDEATHSIG = 1
SWITCH_SECONDS = 0.0005


def now_ms() -> int:
    """The wall clock, UTC ms: handed as `clock` to whatever needs the time."""
    return time.time_ns() // 1_000_000


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; a second SIGINT ends the process at once."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            sys.exit(130)
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return stop


def end_with_parent(parent: int | None = None) -> None:
    """Ask Linux to send SIGTERM when the parent ends, so that a killed supervisor leaves no children behind.

    Who begins slowly names the `parent` that started it: it may have ended before this is called.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid() if parent is None else parent
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the call
        os.kill(os.getpid(), signal.SIGTERM)


def set_up_logging(level: str, form: str, process: str) -> None:
    """Log lines on standard error: `text` for people, `json` for collectors; every line names the process."""

    def name_process(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        # Not a context variable: those of the main thread are unknown to the others.
        return {"process": process, **event}

    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        name_process,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    colors = sys.stderr.isatty()
    last: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=colors)
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*processors, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        level=max(number, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )


def switch_often() -> None:
    """Let a thread that has to wait for the interpreter have it after half a millisecond instead of five.

    For processes whose threads feed servers: one that got its answer sends the next request so much sooner.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
