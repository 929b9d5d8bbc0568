"""Whether the clock can be believed."""

import ctypes

import pytest

from edge.clock import SystemClock, clock_state, kernel_clock_answer
from wire.messages import ClockState


@pytest.mark.parametrize(
    ("mark", "answer", "state"),
    [
        (True, 5, ClockState.SYNCHRONISED),
        (True, None, ClockState.SYNCHRONISED),
        (False, 0, ClockState.SYNCHRONISED),
        (False, 1, ClockState.SYNCHRONISED),  # a leap second is coming
        (False, 5, ClockState.UNSYNCHRONISED),
        (False, None, ClockState.UNKNOWN),
    ],
)
def test_the_mark_counts_before_the_kernel_and_nothing_known_is_unknown(tmp_path, mark, answer, state) -> None:
    path = tmp_path / "synchronized"
    if mark:
        path.touch()
    assert clock_state(path, answer) is state


def test_a_machine_without_the_call_does_not_answer(monkeypatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert kernel_clock_answer() is None


def test_this_machine_answers_something_and_its_clocks_go_forward() -> None:
    clock = SystemClock()
    assert clock.state() in ClockState
    assert clock.wall() > 1_700_000_000_000
    first = clock.tick()
    assert clock.tick() >= first
