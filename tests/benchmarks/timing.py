"""How the benchmarks measure: the best of several rounds, printed side by side; nothing fails for being slow."""

from collections.abc import Callable
from time import process_time
from typing import TypeVar

ROUNDS = 4
Given = TypeVar("Given")


def best(work: Callable[[], object]) -> float:
    """Seconds of processor time of the quickest round, after one that warms up."""
    return best_with(lambda: None, lambda _: work())


def best_with(prepare: Callable[[], Given], work: Callable[[Given], object]) -> float:
    """As `best`; what `prepare` makes for each round is not counted."""
    times = []
    for _ in range(1 + ROUNDS):
        given = prepare()
        began = process_time()
        work(given)
        times.append(process_time() - began)
    return max(min(times[1:]), 1e-9)


def show(what: str, seconds: float, count: int, beside: float | None = None) -> None:
    """One line: cost per item and items per second; `beside`: seconds of what it is compared with."""
    ratio = "" if beside is None else f"  {beside / seconds:8.2f} × as fast as that above"
    print(f"\n{what:<58} {seconds / count * 1e6:8.2f} µs  {count / seconds:12,.0f}/s{ratio}", end="")
