"""Names of a batch: each looked up once, and forgotten together when there are too many or something changed."""

import pytest

from rules.names import Names


class Found:
    """What was looked up: every point's number is its length, every second one is watched."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.names = Names(self)

    def __call__(self, name: str, now: int) -> tuple[int, int]:
        self.asked.append(name)
        return len(name), now if len(name) % 2 else -1

    def of(self, *names: str, now: int = 7) -> tuple[list[int], list[int]]:
        judged, watched = self.names.of(names, now, 0)
        return judged.tolist(), watched.tolist()


def test_each_name_is_looked_up_once_and_comes_back_in_the_order_of_the_batch() -> None:
    found = Found()
    assert found.of("a", "bb", "ccc") == ([1, 2, 3], [7, -1, 7])
    assert found.of("ccc", "dddd", "a", now=8) == ([3, 4, 1], [7, -1, 7])
    assert found.asked == ["a", "bb", "ccc", "dddd"]
    assert found.of() == ([], [])


def test_more_names_than_there_was_room_for_keep_their_numbers() -> None:
    found = Found()
    names = ["x" * count for count in range(1, 300)]
    assert found.of(*names)[0] == list(range(1, 300))
    assert found.of(*reversed(names))[0] == list(range(299, 0, -1))
    assert len(found.asked) == 299


def test_what_changed_is_looked_up_anew() -> None:
    found = Found()
    found.of("a", "b")
    found.names.forget()
    assert found.of("b", "a", now=9) == ([1, 1], [9, 9])
    assert found.asked == ["a", "b", "b", "a"]


def test_too_many_are_forgotten_but_never_those_of_the_batch_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.names.MOST_STRANGERS", 3)
    found = Found()
    names = ["x" * count for count in range(1, 10)]
    assert found.of(*names)[0] == list(range(1, 10))
    assert found.of("x")[0] == [1]
    assert found.asked == [*names, "x"]
    assert found.of("xx", "x")[0] == [2, 1], "there is room again"
    assert found.asked == [*names, "x", "xx"]


def test_the_number_of_judged_points_makes_room_for_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.names.MOST_STRANGERS", 0)
    found = Found()
    found.names.of(["a", "bb", "ccc"], 1, 2)
    found.names.of(["a", "bb", "ccc"], 1, 2)
    assert len(found.asked) == 3
