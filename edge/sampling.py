"""Reads the sources: who is asked when, and what may be promised about the readings that are still to come.

A source that returns a list is live: it is read in full at every cycle, on time. One that returns an iterator may hold
a long history: the agent takes from it in chunks, as far as the outbox has room. All sources together make one stream
with one promise. It reads no clock and stores nothing.
"""

import math
from collections.abc import Iterator, Sequence, Sized
from dataclasses import replace

import structlog

from domain.readings import Quality, Reading
from domain.source import PointDescription, RecordedTime, Source

MAX_TEXT = 200  # characters kept of a source's raw text

_log = structlog.get_logger("edge.sampling")


class Feed:
    """One source with what was begun of it. `stamped`: its readings carry the agent's clock."""

    def __init__(self, source: Source, stamped: bool) -> None:
        self.source = source
        self.stamped = stamped
        self.promise: int | None = None
        self.live = True
        self._rest: Iterator[Reading] | None = None
        self._head: Reading | None = None
        self._asked = 0

    @property
    def head(self) -> Reading | None:
        """The next reading of an iterator that was begun; None between two cycles."""
        return self._head

    def ask(self, now: int) -> None:
        """Begin the cycle of time `now`, unless the last one is not at its end."""
        if self._rest is not None:
            return
        self._asked = now
        try:
            found = self.source.read(now)
        except Exception:  # noqa: BLE001 - a defect of one source must not stop the others
            _log.exception("a source failed", source=type(self.source).__name__)
            found = []
        self.live = isinstance(found, Sized)
        self._rest = iter(sorted(found, key=lambda reading: reading.time) if self.live else found)
        self._advance()

    def take(self) -> Reading:
        """The head; the next one becomes the head."""
        taken = self._head
        assert taken is not None, "there was no head to take"
        self._advance()
        return taken

    def _advance(self) -> None:
        assert self._rest is not None
        try:
            self._head = next(self._rest, None)
        except Exception:  # noqa: BLE001 - as in `ask`
            _log.exception("a source failed", source=type(self.source).__name__)
            self._head = None
        if self._head is not None:
            self._promised(self._head.time)
        else:
            self._rest = None
            self._promised(self._end())

    def _end(self) -> int:
        """What the end of this read promises."""
        if isinstance(self.source, RecordedTime) and not self.source.exhausted:
            return self.source.complete_until
        return self._asked

    def _promised(self, until: int) -> None:
        self.promise = until if self.promise is None else max(self.promise, until)


class Sampler:
    """All sources of the agent as one stream of readings, each with its promise."""

    def __init__(self, feeds: Sequence[Feed], interval: int) -> None:
        self._feeds = list(feeds)
        self._interval = interval

    def open(self) -> None:
        """Open every source; CaretakerError of the first that cannot work."""
        for feed in self._feeds:
            feed.source.open()

    def close(self) -> None:
        """Close every source."""
        for feed in self._feeds:
            feed.source.close()

    def points(self) -> tuple[PointDescription, ...]:
        """What all sources will publish, each point once; what is sampled comes at the sampling interval (ms)."""
        found: dict[str, PointDescription] = {}
        for feed in self._feeds:
            for point in feed.source.points():
                found[point.point] = (
                    replace(point, interval=self._interval) if feed.stamped and point.interval is None else point
                )
        return tuple(found.values())

    def sensed(self) -> list[str]:
        """The points whose readings are gone when nobody takes them: of live sources by the agent's clock."""
        live = (feed for feed in self._feeds if feed.live and feed.stamped)
        return [point.point for feed in live for point in feed.source.points()]

    @property
    def exhausted(self) -> bool:
        """Whether no source will ever give a reading again."""
        return all(feed.source.exhausted and feed.head is None for feed in self._feeds)

    @property
    def streaming(self) -> bool:
        """Whether readings of a begun cycle are waiting to be taken."""
        return any(feed.head is not None for feed in self._feeds)

    @property
    def promise(self) -> int | None:
        """UTC ms: nothing that was not taken yet is earlier. None while a source has not been asked."""
        promises = [feed.promise for feed in self._feeds]
        known = [promise for promise in promises if promise is not None]
        return min(known) if known and len(known) == len(promises) else None

    def begin(self, now: int) -> None:
        """Begin the cycle of time `now` (UTC ms)."""
        for feed in self._feeds:
            feed.ask(now)

    def take(self, limit: int | None, *, clock_trusted: bool) -> list[tuple[Reading, int]]:
        """At most `limit` readings in order of time, each with its promise; None: all of the live sources, no others.

        While the clock is not trusted, what is good by that clock becomes uncertain.
        """
        taken: list[tuple[Reading, int]] = []
        while limit is None or len(taken) < limit:
            waiting = [feed for feed in self._feeds if feed.head is not None and (feed.live or limit is not None)]
            if not waiting:
                break
            feed = min(waiting, key=_head_time)
            reading = _presentable(feed.take(), uncertain=feed.stamped and not clock_trusted)
            promise = self.promise
            assert promise is not None, "a cycle asks every source"
            taken.append((reading, promise))
        return taken


def _head_time(feed: Feed) -> int:
    return feed.head.time if feed.head is not None else 0


def _presentable(reading: Reading, *, uncertain: bool) -> Reading:
    """The reading as the outbox keeps it: no infinities, no endless text, and how far the clock was believed."""
    if math.isinf(reading.value):
        text = reading.text or str(reading.value)
        reading = replace(reading, value=math.nan, quality=Quality.BAD, text=text)
    if len(reading.text) > MAX_TEXT:
        reading = replace(reading, text=reading.text[:MAX_TEXT])
    if uncertain and reading.quality is Quality.GOOD:
        reading = replace(reading, quality=Quality.UNCERTAIN)
    return reading
