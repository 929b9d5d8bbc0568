"""One phase of load on one consumer: messages at a steady rate, and how far behind the schedule the consumer is.

Lag is counted against the schedule, not against what the generator managed to send: message k is due at start + k /
rate, and it is taken when the consumer says so. A generator or broker that cannot keep up therefore shows as lag.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from caretaker.bench.children import Child, module
from caretaker.bench.packets import Load
from caretaker.bench.publisher import Orders

LOOK_SECONDS = 0.1
LEAD_SECONDS = 0.8  # until the generator is ready
FULL_SPEED_SECONDS = 20.0  # at most
DRAIN_SECONDS = 90.0
STILL_SECONDS = 6.0  # without a further message: nothing is on its way any more (a big site's snapshot takes seconds)
CUT_OFF_SECONDS = 1.5  # the same for a load that was cut off


@dataclass(frozen=True, slots=True)
class Phase:
    """What came of a phase; `worst_lag` in seconds."""

    rate: float
    seconds: float
    worst_lag: float
    taken: int


def generator(orders: Orders, core: int, folder: Path) -> Child:
    """The load generator at work on these orders."""
    text = msgspec.json.encode(orders).decode()
    return Child(module("caretaker.bench.publisher", text), core, folder / "publisher.log")


def steady(
    port: int, core: int, folder: Path, load: Load, rate: float, seconds: float,
    taken: Callable[[], int], give_up: float = float("inf"), watch: Callable[[], None] = lambda: None, first: int = 0,
) -> Phase:  # fmt: skip
    """Load at `rate` messages per second for `seconds`, after `first` messages of it that were sent before; ends early
    when the lag exceeds `give_up` seconds.

    `taken`: how many messages the consumer has taken so far. `watch` is called at each look.
    """
    base, worst = taken(), 0.0
    start = time.time() + LEAD_SECONDS
    orders = Orders(port, load, max(1, int(rate * seconds)), rate, start, first=first)
    with generator(orders, core, folder) as child:
        while (now := time.time()) < start + seconds:
            child.check()
            watch()
            done = taken() - base
            worst = max(worst, lag(now=time.time(), start=start, rate=rate, count=orders.count, taken=done))
            if worst > give_up:
                break
            time.sleep(max(0.0, LOOK_SECONDS - (time.time() - now)))
        child.stop()
    cut_off = worst > give_up
    return Phase(
        rate, seconds, worst, drain(taken, base + orders.count, CUT_OFF_SECONDS if cut_off else STILL_SECONDS) - base
    )


def full_speed(port: int, core: int, folder: Path, load: Load, count: int, taken: Callable[[], int]) -> float:
    """About how many messages a second the consumer takes of `count` that are sent as fast as they go. An estimate to
    begin a search with: broker and generator compete for their core, and nothing says that the rate could be held."""
    base, start = taken(), time.time() + LEAD_SECONDS
    with generator(Orders(port, load, count, 0.0, start), core, folder) as child:
        until = start + FULL_SPEED_SECONDS
        while (done := taken() - base) < count and time.time() < until:
            child.check()
            time.sleep(LOOK_SECONDS / 10)
        rate = done / max(LOOK_SECONDS, time.time() - start)
    drain(taken, base + count, CUT_OFF_SECONDS)
    return rate


def lag(*, now: float, start: float, rate: float, count: int, taken: int) -> float:
    """How many seconds ago the first message that is not taken was due; 0 before its time, or when all are taken."""
    return 0.0 if taken >= count else max(0.0, now - start - taken / rate)


def drain(taken: Callable[[], int], wanted: int, still: float) -> int:
    """Wait until `wanted` were taken, or nothing came for `still` seconds (for at most 90 s); how many were taken."""
    until = time.monotonic() + DRAIN_SECONDS
    newest, since = taken(), time.monotonic()
    while newest < wanted and time.monotonic() < until and time.monotonic() - since < still:
        time.sleep(LOOK_SECONDS)
        if (present := taken()) != newest:
            newest, since = present, time.monotonic()
    return newest
