"""Writing one site's commits, however long it takes: a commit that fails is tried again, never dropped.

Decides only that nothing else is written before it stands. A failure may hide a success (the connection broke after
the write): every commit of a lease has a serial, by which the store knows the one that it has already. FencedError and
StoppedError end the session.
"""

from collections.abc import Callable
from dataclasses import replace

import structlog

from domain.errors import FencedError
from domain.ports import Ledger
from domain.records import Commit, Committed
from domain.times import SECOND
from ingest.backoff import Backoff
from ingest.metrics import Count, Counters

_log = structlog.get_logger()


class StoppedError(Exception):
    """The process is to end while something is being tried again; what is not committed is not receipted."""


class Committer:
    """The end of one site's journal, `n`, and the way to move it under one lease. `pause` is False when the process
    stops."""

    def __init__(self, site: str, n: int, ledger: Ledger, pause: Callable[[int], bool], counters: Counters) -> None:
        self.site, self.n = site, n
        self._serial = 0
        self._ledger, self._pause, self._counters = ledger, pause, counters
        self._backoff = Backoff(SECOND // 5, 10 * SECOND)

    def commit(self, commit: Commit) -> Committed:
        """Commit, however long it takes; FencedError and StoppedError leave the session unusable."""
        self._backoff.reset()
        self._serial += 1
        numbered = replace(commit, serial=self._serial)
        while True:
            try:
                committed = self._ledger.commit(numbered)
                break
            except FencedError:
                raise
            except Exception as error:  # disk full, locked, connection lost: nothing may be dropped
                self._counters.add(Count.COMMIT_RETRIES)
                _log.error("commit failed; tried again, no receipts until then", site=self.site, error=str(error))
                if not self._pause(self._backoff.next()):
                    raise StoppedError from error
        self.n = committed.n
        return committed
