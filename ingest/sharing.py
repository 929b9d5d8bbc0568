"""This process among those that share the sites: says in the store that it is there, and makes its plan each second.

Decides nothing but when to renew its presence, and that of two processes of one name the younger serves: the elder
stands by until the name is free, because their leases would be each other's.
"""

from collections.abc import Collection, Sequence

import structlog

from domain.ports import Ledger
from domain.records import Lease
from ingest.settings import IngestSettings
from ingest.shares import Plan, plan, presence

_log = structlog.get_logger()


class Sharing:
    """The presence of `settings.worker`. Times given are the process's own, UTC ms."""

    def __init__(self, settings: IngestSettings, ledger: Ledger) -> None:
        self._worker, self._ttl, self._ledger = settings.worker, settings.lease_ttl, ledger
        self._name = presence(settings.worker)
        self._epoch: int | None = None
        self._began = False
        self._renewed_at = 0
        self._ahead = 0  # ms that the store's clock is ahead of the process's

    def plan(self, now: int, sites: Sequence[str], held: Collection[str]) -> Plan | None:
        """What to do now; None while another process of this name is there. Raises what the store raises."""
        fresh = self._epoch is not None and 0 <= now - self._renewed_at < self._ttl // 3
        leases = self._ledger.leases()
        if not fresh:
            if not self._renew(now, leases):
                return None
            leases = self._ledger.leases()
            until = next(lease.until for lease in leases if lease.site == self._name)
            self._ahead, self._renewed_at = until - self._ttl - now, now
        return plan(self._worker, sites, leases, now + self._ahead, held)

    def leave(self) -> None:
        """This process ends: the others need not wait for its lease to run out."""
        if self._epoch is None:
            return
        try:
            self._ledger.release(self._name, self._worker, self._epoch)
        except Exception as error:  # noqa: BLE001 - any failure of the store: then the lease runs out by itself
            _log.warning("the others could not be told that this process ends", error=str(error))

    def _renew(self, now: int, leases: Sequence[Lease]) -> bool:
        held = next((lease for lease in leases if lease.site == self._name), None)
        if self._epoch is None and self._began and held is not None and held.until > now + self._ahead:
            return False  # the namesake is still there
        self._epoch = self._ledger.acquire(self._name, self._worker, now, self._ttl, self._epoch)
        if self._epoch is None and self._began:
            _log.error(
                "another process has this worker's name; this one stands by. Give each its own: CARETAKER_WORKER",
                worker=self._worker,
            )
        self._began = True
        return self._epoch is not None
