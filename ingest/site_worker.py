"""Runs one site in a thread: waits for the lease, serves the site, and begins anew when that failed.

Decides only what to do after a failure. A lost lease means that somebody else serves the site: then it ends. Any
other error is a defect: it is said loudly, the judge is thrown away, and the site begins again from its snapshot and
journal; what was not committed was not receipted, so it is still there. A site that is given up in order is settled
first, and its lease released, so that the next worker need not wait.
"""

import threading

import structlog

from domain.errors import FencedError
from domain.times import MINUTE, SECOND
from ingest.backoff import Backoff
from ingest.committing import StoppedError
from ingest.inbox import Inbox
from ingest.metrics import Count
from ingest.parts import Parts
from ingest.quarantine import Quarantine
from ingest.site_session import SiteSession
from wire.topics import ROOT

TAKE_AT_ONCE = 500
WAIT_SECONDS = 0.05

_log = structlog.get_logger()


class SiteWorker:
    """The thread of one site. `session` is the present one; `lost` says that another worker holds the lease."""

    def __init__(self, site: str, parts: Parts, inbox: Inbox, stop: threading.Event) -> None:
        self.site = site
        self.session: SiteSession | None = None
        self.lost = False
        self._leaving = threading.Event()
        self._parts, self._inbox, self._stop = parts, inbox, stop
        self._quarantine = Quarantine()
        self._backoff = Backoff(SECOND, MINUTE)
        self._thread = threading.Thread(target=self._run, name=f"site {site}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def leave(self) -> None:
        """Settle what was taken, and give the site up."""
        self._leaving.set()

    @property
    def ended(self) -> bool:
        """Whether the site was lost or given up, and nothing of it is left to do."""
        return (self.lost or self._leaving.is_set()) and not self._thread.is_alive()

    def join(self, seconds: float) -> bool:
        """Wait for the end; whether it came."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def leading(self) -> bool:
        """Whether this process serves the site now."""
        return self.session is not None

    def _run(self) -> None:
        while not (self._ending or self.lost):
            self.serve()

    @property
    def _ending(self) -> bool:
        return self._stop.is_set() or self._leaving.is_set()

    def serve(self) -> None:
        """One session from lease to end; errors are answered with a pause, never raised."""
        delay = 0
        try:
            epoch = self._acquire()
            if epoch is None:
                self.lost = True
            else:
                self.session = SiteSession(self.site, epoch, self._parts, self._quarantine)
                self._work(self.session)
        except StoppedError:
            pass
        except FencedError as error:
            self.lost = True
            self._parts.mailbox.discard(f"{ROOT}/{self.site}/")  # the other one's receipts and alarms are newer
            _log.warning("another worker serves the site", site=self.site, error=str(error))
        except Exception:  # noqa: BLE001 - one site's defect must not end the others'
            delay = self._backoff.next()
            self._parts.counters.add(Count.RESTARTS)
            _log.exception("the site failed; it begins again from its journal", site=self.site, wait_ms=delay)
        finally:
            if self.session is not None:
                self._inbox.put_back(self.site, self.session.pending)
                self.session = None
        if delay:
            self._parts.pause(delay)

    def _acquire(self) -> int | None:
        settings = self._parts.settings
        return self._parts.ledger.acquire(self.site, settings.worker, self._parts.clock(), settings.lease_ttl)

    def _work(self, session: SiteSession) -> None:
        session.tick()
        while not self._ending:
            if session.full:
                self._parts.pause(SECOND // 10)
            else:
                session.take(self._inbox.take(self.site, TAKE_AT_ONCE, WAIT_SECONDS))
            session.tick()
            self._backoff.reset()
        session.close()
        try:
            self._parts.ledger.release(self.site, self._parts.settings.worker, session.epoch)
        except Exception as error:  # noqa: BLE001 - any failure of the store: then the lease runs out by itself
            _log.warning("the lease was not released", site=self.site, error=str(error))
