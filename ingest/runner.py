"""The ingest process: consumer, one worker per site, the series writer, and a sign of life each second.

Straight-line wiring; decides only in which order things end: first the workers settle what they took, then the last
receipts leave, then the rest. Which sites it serves is decided by `site_pool`.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping

import structlog

from domain.ports import Judge, Ledger, SeriesStore
from domain.records import ProcessRow
from domain.times import SECOND
from ingest.consumer import Consumer
from ingest.inbox import Inbox
from ingest.mailbox import Mailbox
from ingest.metrics import Counters
from ingest.parts import Parts
from ingest.room import Shortage
from ingest.series_writer import write_series
from ingest.settings import IngestSettings
from ingest.site_pool import SitePool
from ingest.site_session import SiteSession

MOST_CLOCKS_SHOWN = 50  # agents with a wrong clock, per site, in the sign of life
GRACE_SECONDS = 15.0  # for a worker to settle what it took, and for the series writer to end its step

_log = structlog.get_logger()


class Runner:
    """One ingest process. `run` blocks until `stop`."""

    def __init__(
        self,
        settings: IngestSettings,
        ledger: Ledger,
        series: SeriesStore,
        make_judge: Callable[[str], Judge],
        clock: Callable[[], int],
        stop: threading.Event,
        disk_free: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._settings, self._ledger = settings, ledger
        self._clock, self._stop = clock, stop
        self._halt = threading.Event()  # the consumer's end: after the workers' last receipts
        self._counters = Counters()
        self._inbox = Inbox(settings.inbox_messages, settings.inbox_bytes)
        mailbox = Mailbox()
        self._consumer = Consumer(settings, self._inbox, mailbox, self._counters)
        self._parts = Parts(
            settings, ledger, make_judge, clock, self._pause, self._consumer, mailbox, self._counters, disk_free
        )
        self._pool = SitePool(self._parts, self._inbox, series, self._consumer, stop)
        self._started_at = clock()

    def run(self) -> None:
        """Serve until `stop` is set, then end in order."""
        self._pool.step(self._clock())
        network = threading.Thread(target=self._consumer.run, args=(self._halt,), name="broker", daemon=True)
        network.start()
        writer = threading.Thread(
            target=write_series, args=(self._pool.leading_feeds, self._clock, self._pause), name="series", daemon=True
        )
        writer.start()
        beat_at = 0
        try:
            while not self._stop.is_set():
                now = self._clock()
                self._pool.settle_strays(now, 0.2)
                if not 0 <= now - beat_at < SECOND:
                    beat_at = now
                    self._pool.step(now)
                    self._beat(now)
        finally:
            self._stop.set()
            self._end(network, writer)

    def info(self) -> dict[str, object]:
        """What the process says of itself: counts by name, dead letters by reason, and how things stand."""
        feeds, workers, plan = list(self._pool.feeds.values()), list(self._pool.workers.values()), self._pool.plan
        sessions = {worker.site: worker.session for worker in workers}
        return {
            **self._counters.snapshot(),
            "dead_letters": self._counters.letters(),
            "connected": self._consumer.connected,
            "queue_depth": self._inbox.depth,
            "journal": {site: session.n for site, session in sessions.items() if session is not None},
            "journal_full": _short(sessions, Shortage.JOURNAL),
            "disk_full": _short(sessions, Shortage.DISK),
            "disk_free": self._parts.disk_free(),
            "standby": sorted(site for site in self._pool.sites if sessions.get(site) is None),
            "workers": [] if plan is None else list(plan.workers),
            "wrong_clocks": _wrong_clocks(sessions),
            "series_lag": {feed.site: feed.lag for feed in feeds},
            "series_error": next((feed.failing for feed in feeds if feed.failing), ""),
        }

    def _pause(self, ms: int) -> bool:
        return not self._stop.wait(ms / SECOND)

    def _beat(self, now: int) -> None:
        row = ProcessRow(self._settings.process, os.getpid(), self._started_at, now, json.dumps(self.info()))
        try:
            self._ledger.beat(row)
        except Exception as error:  # noqa: BLE001 - any failure of the store: the next second tries again
            _log.warning("no sign of life was written", error=str(error))

    def _end(self, network: threading.Thread, writer: threading.Thread) -> None:
        self._pool.end(GRACE_SECONDS)
        self._halt.set()
        self._consumer.wake()
        network.join(GRACE_SECONDS)
        writer.join(GRACE_SECONDS)
        _log.info("ingest ended", **self._counters.snapshot())


def run(
    settings: IngestSettings,
    ledger: Ledger,
    series: SeriesStore,
    judge_factory: Callable[[str], Judge],
    clock: Callable[[], int],
    stop: threading.Event,
    disk_free: Callable[[], int | None] = lambda: None,
) -> None:
    """Run ingest until `stop` is set. CaretakerError when the settings cannot be used.

    `disk_free`: bytes that are free on the disk of the operational store; None when nobody knows (a server's).
    """
    Runner(settings, ledger, series, judge_factory, clock, stop, disk_free).run()


def _short(sessions: Mapping[str, SiteSession | None], what: Shortage) -> list[str]:
    return sorted(site for site, session in sessions.items() if session is not None and session.short is what)


def _wrong_clocks(sessions: Mapping[str, SiteSession | None]) -> dict[str, dict[str, int]]:
    """By site: ms that agents' clocks are ahead (negative: behind), those that are off most."""
    wrong: dict[str, dict[str, int]] = {}
    for site, session in sessions.items():
        notes = [] if session is None else list(session.wrong_clocks.values())
        worst = sorted(notes, key=lambda note: -abs(note.skew))[:MOST_CLOCKS_SHOWN]
        if worst:
            wrong[site] = {note.agent: note.skew for note in worst}
    return wrong
