"""The stream of what changes at a site, for pages and programs, as server-sent events.

It polls the operational store (never ingest's memory): transitions by id, and the newest readings, read at most once
per poll however many listen. A listener that comes back with `Last-Event-ID` misses no transition. Bounded: at most
`max_streams` listeners, at most `_MOST_AT_ONCE` transitions per poll; a listener that is too slow is throttled by its
own connection and catches up by id.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import structlog
from starlette.concurrency import run_in_threadpool

from api import convert
from api.knowledge import Knowledge, SiteKnowledge
from api.models import TransitionModel
from api.problems import Kind, ProblemError
from api.settings import ApiSettings
from domain.ports import Console
from domain.records import Latest, TransitionFilter
from domain.times import SECOND, iso

_log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 200
_RETRY_MS = 3_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One poll of a site: its newest transition id, the newest readings by point, and which revisions are in force."""

    last_id: int
    latest: dict[str, Latest]
    known: SiteKnowledge


@dataclass
class _Shared:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    polled_at: float = float("-inf")
    seen: Seen | None = None


class Feed:
    """Polls sites for their listeners; one per application."""

    def __init__(self, console: Console, knowledge: Knowledge, clock: Callable[[], int], settings: ApiSettings) -> None:
        self._console = console
        self._knowledge = knowledge
        self._clock = clock
        self._settings = settings
        self._shared: dict[str, _Shared] = {}
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.listeners = 0

    def stop(self) -> None:
        """End every stream soon; may be called from any thread or a signal handler."""
        if self._loop is None:
            self._stopping.set()
        else:
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def listen(self, site: str, after: int | None) -> AsyncIterator[bytes]:
        """The stream of one listener, from the transition after `after` on (None: from now on).

        Raises before the first event: NotFoundError for an unknown site, ProblemError when too many listen.
        """
        await run_in_threadpool(self._knowledge.of, site)
        if self.listeners >= self._settings.max_streams:
            detail = f"{self.listeners} streams are open, which is the most this server serves"
            raise ProblemError(
                503, Kind.TOO_MANY_STREAMS, detail, "close a page, or try again later", {"retry-after": "10"}
            )
        self._loop = asyncio.get_running_loop()
        return self._stream(site, after)

    async def _stream(self, site: str, after: int | None) -> AsyncIterator[bytes]:
        self.listeners += 1
        try:
            beat_at = self._clock() + self._settings.stream_heartbeat
            seen = await self._poll(site)
            cursor = seen.last_id if after is None else min(after, seen.last_id)  # a restored store counts again
            yield f"retry: {_RETRY_MS}\n\n".encode() + event("hello", {"now": iso(self._clock()), "last_id": cursor})
            sent, revision = (seen.latest, _revision(seen)) if after is None else ({}, _revision(seen))
            while not self._stopping.is_set():
                seen = await self._poll(site)
                if seen.last_id > cursor:
                    for one in await self._transitions(site, cursor):
                        cursor = one.id
                        yield event("transition", one.model_dump(mode="json"), one.id)
                changed = [row for point, row in seen.latest.items() if sent.get(point) != row]
                if changed:
                    now = self._clock()
                    items = [convert.latest(seen.known, row, now).model_dump(mode="json") for row in changed]
                    yield event("latest", {"now": iso(now), "items": items})
                    sent = seen.latest
                if _revision(seen) != revision:
                    revision = _revision(seen)
                    yield event("configuration", {"catalogue_revision": revision[0], "rules_revision": revision[1]})
                if self._clock() >= beat_at:
                    beat_at = self._clock() + self._settings.stream_heartbeat
                    yield event("beat", {"now": iso(self._clock())})
                await self._pause()
        finally:
            self.listeners -= 1

    async def _transitions(self, site: str, cursor: int) -> list[TransitionModel]:
        where = TransitionFilter(site, after=cursor)
        found = await run_in_threadpool(self._console.transitions, where, _MOST_AT_ONCE, False)
        return [convert.transition(one) for one in found]

    async def _poll(self, site: str) -> Seen:
        shared = self._shared.setdefault(site, _Shared())
        loop = asyncio.get_running_loop()
        async with shared.lock:
            if shared.seen is None or loop.time() - shared.polled_at >= self._poll_seconds * 0.9:
                shared.seen = await run_in_threadpool(self._read, site)
                shared.polled_at = loop.time()
            return shared.seen

    def _read(self, site: str) -> Seen:
        newest = self._console.transitions(TransitionFilter(site), 1, True)
        latest = {row.point: row for row in self._console.latest(site)}
        return Seen(newest[0].id if newest else 0, latest, self._knowledge.of(site))

    @property
    def _poll_seconds(self) -> float:
        return self._settings.stream_poll / SECOND

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), self._poll_seconds)
        except TimeoutError:
            return


def event(name: str, data: object, id: int | None = None) -> bytes:
    """One server-sent event; only transitions carry an id, so that resuming is by transition."""
    head = f"id: {id}\n" if id is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def resume_id(header: str | None) -> int | None:
    """The transition id in a `Last-Event-ID` header; None when it is absent or not one of ours."""
    return int(header) if header and header.isascii() and header.isdigit() and len(header) < 19 else None


def _revision(seen: Seen) -> tuple[int, int]:
    return seen.known.revision, seen.known.rules_revision
