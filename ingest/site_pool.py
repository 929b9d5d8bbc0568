"""The sites that this process serves: begins and ends their workers as the plan says, and subscribes accordingly.

Decides the order in which a site changes hands. Taken: its queue is opened, then its worker asks for the lease, then
the broker is asked for its messages. Given up: its worker settles what it took and releases the lease, then the
broker is asked for no more, and what still comes is dropped; agents send it again to the one that serves the site now.
"""

import threading
from collections.abc import Sequence
from typing import Protocol

import structlog

from domain.ports import SeriesStore
from domain.times import SECOND
from ingest.inbox import Ack, Inbox
from ingest.parts import Parts
from ingest.series_writer import SeriesFeed
from ingest.shares import Plan, filters
from ingest.sharing import Sharing
from ingest.site_worker import SiteWorker
from ingest.stray import Stray

GIVE_EVERY = 2 * SECOND  # a move at a time: each costs its site a pause

_log = structlog.get_logger()


class Subscriptions(Protocol):
    """The broker connection, as far as it is told what to hear."""

    def listen(self, wanted: Sequence[str] | None, unwanted: Sequence[str] = ()) -> None:
        """Be subscribed to these filters, and not to those; None: stay away."""

    def resubscribe(self) -> None:
        """Ask for the retained messages again."""

    def acknowledge(self, acks: Sequence[Ack]) -> None:
        """Tell the broker that these messages are dealt with."""


class SitePool:
    """Workers and feeds by site. `step` and `end` are for one thread; the properties for any."""

    def __init__(
        self, parts: Parts, inbox: Inbox, series: SeriesStore, broker: Subscriptions, stop: threading.Event
    ) -> None:
        self._parts, self._inbox, self._series, self._broker, self._stop = parts, inbox, series, broker, stop
        self._sharing = Sharing(parts.settings, parts.ledger)
        self.stray = Stray(parts, inbox)
        self.sites: tuple[str, ...] = ()
        self.workers: dict[str, SiteWorker] = {}
        self.feeds: dict[str, SeriesFeed] = {}
        self.plan: Plan | None = None
        self.watching = False
        self._given_at = 0
        broker.listen(None)

    def step(self, now: int) -> None:
        """Do what the plan says. A store that does not answer changes nothing: the next second tries again."""
        self._bury()
        try:
            self.sites = tuple(self._parts.ledger.sites())
            self.plan = self._sharing.plan(now, self.sites, self.workers)
            self.watching = self.plan is not None and self.stray.lead(now)
        except Exception as error:  # noqa: BLE001 - any failure of the store
            _log.warning("the sites cannot be read; tried again", error=str(error))
            return
        if self.plan is None:
            for worker in self.workers.values():
                worker.leave()
            self._broker.listen(None)
            return
        for site in self.plan.take:
            self._take(site)
        if self.plan.give is not None and not 0 <= now - self._given_at < GIVE_EVERY:
            self._given_at = now
            self.workers[self.plan.give].leave()
        self._subscribe(self.plan)

    def settle_strays(self, now: int, seconds: float) -> None:
        """Deal with messages of unknown sites, waiting up to `seconds` for them."""
        if self.watching or self.plan is None or self.plan.alone:
            self.stray.step(now, seconds)
        else:
            self.stray.discard(seconds)

    def leading_feeds(self) -> list[SeriesFeed]:
        """The feeds of the sites whose lease is held now."""
        workers = self.workers
        return [feed for site, feed in list(self.feeds.items()) if site in workers and workers[site].leading]

    def end(self, seconds: float) -> None:
        """After `stop`: wait for every worker, and make room for others at once."""
        for worker in self.workers.values():
            if not worker.join(seconds):
                _log.error("a site did not end in time; what it did not commit was not receipted", site=worker.site)
        self.stray.leave()
        self._sharing.leave()

    def _take(self, site: str) -> None:
        settings, parts = self._parts.settings, self._parts
        self._inbox.open(site)
        self.feeds[site] = SeriesFeed(
            site, parts.ledger, self._series, parts.counters, settings.series_delay_last, settings.keep_readings
        )
        self.workers[site] = SiteWorker(site, parts, self._inbox, self._stop)
        self.workers[site].start()
        self._broker.resubscribe()

    def _bury(self) -> None:
        """Forget the sites that were lost or given up."""
        for site in [site for site, worker in self.workers.items() if worker.ended]:
            _log.info("site left to another worker", site=site)
            del self.workers[site], self.feeds[site]

    def _subscribe(self, plan: Plan) -> None:
        for site in self.sites:
            if site not in self.workers:
                left = self._inbox.close(site)
                self._broker.acknowledge([message.ack for message in left if message.ack is not None])
        self._broker.listen(*filters(plan, self.sites, list(self.workers), self.watching))
