"""Whether one site may take more: bounded by its journal's size, and by what is free on the disk that holds the store.

Decides "full" and "room again" with a distance between them. While full no messages are taken and no receipts given,
so the agents hold; that is said loudly once. The disk is left a reserve, because a database that cannot write any more
cannot be trimmed either.
"""

from collections.abc import Callable
from enum import StrEnum

import structlog

from domain.ports import Ledger
from ingest.settings import IngestSettings

ROOM_AGAIN = 0.9  # of the journal's bound: below it messages are taken again
DISK_AGAIN = 1.25  # of the disk's reserve: above it messages are taken again

_log = structlog.get_logger()


class Shortage(StrEnum):
    """What is full: the same word in the log and in the sign of life."""

    JOURNAL = "journal"
    DISK = "disk"


_REMEDIES = {
    Shortage.JOURNAL: "the series store must catch up",
    Shortage.DISK: "make room on the disk of the operational store",
}


class Room:
    """What `check` found last: `short` is None while there is room. `free`: bytes free on the disk, None = unknown."""

    def __init__(self, site: str, settings: IngestSettings, ledger: Ledger, free: Callable[[], int | None]) -> None:
        self.short: Shortage | None = None
        self._site, self._settings, self._ledger, self._free = site, settings, ledger, free

    def check(self) -> None:
        """Look at the journal and the disk; raises what the store raises."""
        held, free = self._ledger.journal_bytes(self._site), self._free()
        short = self._shortage(held, free)
        if short is not None and short is not self.short:
            _log.error(
                f"the {short} is full: no receipts, the agents hold", site=self._site, journal=held, disk_free=free,
                remedy=_REMEDIES[short],
            )  # fmt: skip
        elif short is None and self.short is not None:
            _log.info(f"the {self.short} has room again", site=self._site, journal=held, disk_free=free)
        self.short = short

    def _shortage(self, held: int, free: int | None) -> Shortage | None:
        most, reserve = float(self._settings.journal_bytes), float(self._settings.disk_reserve)
        if self.short is Shortage.JOURNAL:
            most *= ROOM_AGAIN
        if self.short is Shortage.DISK:
            reserve *= DISK_AGAIN
        if free is not None and free < reserve:
            return Shortage.DISK
        return Shortage.JOURNAL if held >= most else None
