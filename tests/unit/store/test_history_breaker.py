"""A history that fails is left alone for a while, and asked again after it."""

import numpy as np
import pytest

from domain.errors import StoreUnavailableError
from domain.records import Series
from store.history_breaker import REST_SECONDS, HistoryBreaker

EMPTY = Series(np.array([], np.int64), np.array([], np.float64), ())


class Fragile:
    """Counts how often it is asked; fails while it is away."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[tuple[str, str, int, int, int | None]] = []

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        self.asked.append((site, point, start, end, limit))
        if self.away:
            raise OSError("timed out")
        return EMPTY


def test_a_history_that_answers_is_asked_every_time() -> None:
    history = Fragile()
    breaker = HistoryBreaker(history, lambda: 0.0)
    assert breaker.read("s", "a/x", 0, 9) is EMPTY
    assert breaker.read("s", "a/x", 0, 9, 5) is EMPTY
    assert history.asked == [("s", "a/x", 0, 9, None), ("s", "a/x", 0, 9, 5)]


def test_after_a_failure_nothing_is_asked_until_the_rest_is_over() -> None:
    history, now = Fragile(), [100.0]
    breaker = HistoryBreaker(history, lambda: now[0])
    history.away = True
    with pytest.raises(OSError, match="timed out"):
        breaker.read("s", "a/x", 0, 9)
    history.away = False
    now[0] += REST_SECONDS - 0.1
    with pytest.raises(StoreUnavailableError, match="asked again later"):
        breaker.read("s", "a/x", 0, 9)
    assert len(history.asked) == 1
    now[0] += 0.2
    assert breaker.read("s", "a/x", 0, 9) is EMPTY
    assert breaker.read("s", "a/x", 0, 9) is EMPTY
    assert len(history.asked) == 3


def test_the_rest_begins_when_the_failure_came_not_when_it_was_asked() -> None:
    now = [0.0]

    class Slow:
        def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
            now[0] += 30.0
            raise OSError("timed out")

    breaker = HistoryBreaker(Slow(), lambda: now[0])
    with pytest.raises(OSError, match="timed out"):
        breaker.read("s", "a/x", 0, 9)
    now[0] += REST_SECONDS - 1
    with pytest.raises(StoreUnavailableError):
        breaker.read("s", "a/x", 0, 9)
