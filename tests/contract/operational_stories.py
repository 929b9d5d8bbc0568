"""Makers of commits and events for the operational store's tests; no test in here."""

import numpy as np

from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.batch import ReadingBatch, Span
from domain.records import Commit, EntryKind

T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
POINT = "fridge-1/temperature"
WARM = AlarmKey("cold-storage-high", POINT)


def batch(start: int = 0, rows: int = 3, site: str = "school") -> ReadingBatch:
    return ReadingBatch(
        site,
        T0 + start,
        (POINT,),
        np.zeros(rows, np.int32),
        np.arange(rows, dtype=np.int64) + T0 + start,
        np.linspace(4.0, 5.0, rows),
        np.zeros(rows, np.uint8),
        (Span("kitchen", 0, rows, T0 + start + rows, "b1", 1),),
        (),
        {0: "as sent"} if rows else {},
    )


def commit(epoch: int = 1, site: str = "school", received: int = T0, **parts: object) -> Commit:
    return Commit(site, "worker-1", epoch, received, **parts)  # type: ignore[arg-type]


def one_batch(epoch: int = 1, start: int = 0) -> Commit:
    return commit(epoch, entries=((EntryKind.BATCH, batch(start)),))


def event(kind: EventKind, at: int = 0, key: AlarmKey = WARM, **parts: object) -> AlarmEvent:
    reason = parts.pop("reason", None) or {
        EventKind.RAISE: Reason.ABOVE_LIMIT,
        EventKind.PAST_RAISE: Reason.ABOVE_LIMIT,
        EventKind.CLEAR: Reason.WITHIN_LIMIT,
        EventKind.PAST_CLEAR: Reason.WITHIN_LIMIT,
        EventKind.STEP_UP: Reason.STEPPED_UP,
        EventKind.CLOSE: Reason.RULE_REMOVED,
    }.get(kind, Reason.BY_PERSON)
    if kind in (EventKind.RAISE, EventKind.PAST_RAISE):
        parts.setdefault("priority", Priority.HIGH)
    detected = parts.pop("detected_at", T0 + at + 500)
    return AlarmEvent(kind, key, reason, T0 + at, detected, **parts)  # type: ignore[arg-type]
