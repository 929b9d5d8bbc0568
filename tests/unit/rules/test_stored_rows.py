"""History as rows: everything in the span, in blocks, bounded."""

import numpy as np
import pytest

from domain.errors import CaretakerError
from domain.readings import Quality, QualityCode
from domain.records import Series
from domain.times import DAY
from rules import stored_rows
from rules.stored_rows import stored_rows as rows_of


class Kept:
    """A store that gives at most `limit` at once, and remembers how it was asked."""

    def __init__(self, **points: list[tuple[int, float, Quality]]) -> None:
        self.points = {name.replace("_", "/"): rows for name, rows in points.items()}
        self.asked: list[tuple[str, int]] = []

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        assert site == "school"
        self.asked.append((point, start))
        rows = [row for row in self.points.get(point, []) if start <= row[0] < end][:limit]
        return Series(
            np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], np.float64),
            tuple(row[2] for row in rows),
        )  # fmt: skip


G, B = Quality.GOOD, Quality.BAD


def test_all_points_with_their_values_and_qualities() -> None:
    store = Kept(a_t=[(10, 1.0, G), (20, 2.0, B)], b_t=[(5, 3.0, G), (40, 4.0, G)])
    rows = rows_of(store, "school", ["a/t", "b/t"], 5, 40)
    assert rows.points == ("a/t", "b/t")
    assert rows.point.tolist() == [0, 0, 1]
    assert (rows.time.tolist(), rows.value.tolist()) == ([10, 20, 5], [1.0, 2.0, 3.0])
    assert rows.quality.tolist() == [int(QualityCode.GOOD), int(QualityCode.BAD), int(QualityCode.GOOD)]
    assert rows.received.tolist() == rows.time.tolist()


def test_no_points_and_no_readings_are_empty_rows() -> None:
    assert len(rows_of(Kept(), "school", [], 0, 10)) == 0
    assert len(rows_of(Kept(), "school", ["a/t"], 0, 10)) == 0


def test_more_than_a_block_is_asked_for_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_rows, "_AT_ONCE", 2)
    store = Kept(a_t=[(time, float(time), G) for time in range(5)])
    assert rows_of(store, "school", ["a/t"], 0, 10).time.tolist() == [0, 1, 2, 3, 4]
    assert store.asked == [("a/t", 0), ("a/t", 2), ("a/t", 4)]


def test_too_much_is_refused_with_a_span_that_fits() -> None:
    store = Kept(a_t=[(hour * DAY // 24, 1.0, G) for hour in range(240)])
    assert len(rows_of(store, "school", ["a/t"], 0, 10 * DAY, most=240)) == 240
    with pytest.raises(CaretakerError, match="more than 100 readings of 1 points in 10d") as caught:
        rows_of(store, "school", ["a/t"], 0, 10 * DAY, most=100)
    assert "for example 4d" in str(caught.value.remedy)
