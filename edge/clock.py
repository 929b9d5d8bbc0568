"""The agent's time: wall clock, monotonic ticks, and whether the wall clock can be believed.

The only module of the edge that reads a clock; tests hand the agent another one. Whether the clock is synchronised is
asked of systemd-timesyncd's mark and of the kernel (adjtimex, which NTP daemons keep informed); where neither can
answer, the state is unknown and readings are taken as good.
"""

import ctypes
import time
from pathlib import Path
from typing import Protocol

from wire.messages import ClockState

_TIMESYNC_MARK = Path("/run/systemd/timesync/synchronized")
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 512  # more than struct timex has on any machine; zeros ask and change nothing


class Clock(Protocol):
    """What the agent asks about time."""

    def wall(self) -> int:
        """UTC ms."""

    def tick(self) -> int:
        """Monotonic ms, from any start."""

    def state(self) -> ClockState:
        """Whether the wall clock is synchronised."""


class SystemClock:
    """The clock of this machine."""

    def wall(self) -> int:
        """UTC ms."""
        return time.time_ns() // 1_000_000

    def tick(self) -> int:
        """Monotonic ms."""
        return time.monotonic_ns() // 1_000_000

    def state(self) -> ClockState:
        """Whether systemd-timesyncd or the kernel says that the clock is synchronised."""
        return clock_state(_TIMESYNC_MARK, kernel_clock_answer())


def kernel_clock_answer() -> int | None:
    """What adjtimex(2) returns; None where there is no such call or it is refused."""
    try:
        answer = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (OSError, AttributeError, TypeError):
        return None
    return answer if answer >= 0 else None


def clock_state(timesync_mark: Path, kernel_answer: int | None) -> ClockState:
    """What the mark of systemd-timesyncd and the kernel's answer mean together."""
    if timesync_mark.exists():
        return ClockState.SYNCHRONISED
    if kernel_answer is None:
        return ClockState.UNKNOWN
    return ClockState.UNSYNCHRONISED if kernel_answer == _TIME_ERROR else ClockState.SYNCHRONISED
