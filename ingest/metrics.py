"""The figures of ingest: one closed set of names, each with its meaning, counted from several threads.

Names are used alike in the process's sign of life, in Prometheus and in docs/ingest.md, which a test holds complete.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from domain.reasons import DeadReason


class Count(StrEnum):
    """What is counted since the process began."""

    PACKS = "packs"
    READINGS = "readings"
    BATCHES = "batches"
    BIRTHS = "births"
    STATUSES = "statuses"
    DUPLICATES = "duplicates"
    OUT_OF_ORDER = "out_of_order"
    OLD_BOOT = "old_boot"
    SKIPPED = "skipped"
    RETAINED = "retained"
    EMPTY = "empty"
    MISDELIVERED = "misdelivered"
    TURNED_AWAY = "turned_away"
    ELSEWHERE = "elsewhere"
    UNKNOWN_SITE = "unknown_site"
    REPLAYED = "replayed"
    UNJUDGED = "unjudged"
    RECEIPTS = "receipts"
    COMMIT_RETRIES = "commit_retries"
    SERIES_RETRIES = "series_retries"
    RESTARTS = "restarts"
    CONNECTIONS = "connections"
    LATE_ACKS = "late_acks"


MEANING: Mapping[Count, str] = MappingProxyType(
    {
        Count.PACKS: "packs taken, sequenced and unsequenced",
        Count.READINGS: "readings journalled",
        Count.BATCHES: "batches journalled",
        Count.BIRTHS: "births kept",
        Count.STATUSES: "statuses kept",
        Count.DUPLICATES: "sequenced packs that were settled before; answered with the receipt",
        Count.OUT_OF_ORDER: "sequenced packs ahead of their turn; answered with the receipt, so the agent goes back",
        Count.OLD_BOOT: "sequenced packs of a boot that a newer one has replaced; ignored",
        Count.SKIPPED: "times that an agent no longer held packs that never came; recorded as a gap",
        Count.RETAINED: "retained readings; ignored",
        Count.EMPTY: "messages that say nothing (a cleared retained message, a pack without readings); ignored",
        Count.MISDELIVERED: "receipts and alarms that the broker delivered to ingest, who writes them; ignored",
        Count.TURNED_AWAY: "messages of new agents beyond the bound per hour; not receipted",
        Count.ELSEWHERE: "messages of sites that another worker serves; dropped, the agent sends them to that one",
        Count.UNKNOWN_SITE: "messages of sites that have no catalogue; not receipted",
        Count.REPLAYED: "dead letters put through acceptance again",
        Count.UNJUDGED: "packs on which the rule engine failed; stored, not judged",
        Count.RECEIPTS: "receipts handed to the broker connection",
        Count.COMMIT_RETRIES: "commits that failed and were tried again",
        Count.SERIES_RETRIES: "appends to the series store that failed and were tried again",
        Count.RESTARTS: "times that a site was begun anew from its snapshot and journal",
        Count.CONNECTIONS: "connections to the broker",
        Count.LATE_ACKS: "acknowledgements that came after their connection had ended; the broker delivers again",
    }
)


class Counters:
    """Counts from any thread; `snapshot` for whoever shows them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Count] = Counter()
        self._letters: Counter[DeadReason] = Counter()

    def add(self, name: Count, number: int = 1) -> None:
        """Count `number` more."""
        with self._lock:
            self._counts[name] += number

    def dead_letter(self, reason: DeadReason, number: int = 1) -> None:
        """Count dead letters of that reason."""
        with self._lock:
            self._letters[reason] += number

    def get(self, name: Count) -> int:
        """The count so far."""
        with self._lock:
            return self._counts[name]

    def letters(self) -> dict[str, int]:
        """Dead letters so far by reason; reasons that did not occur are absent."""
        with self._lock:
            return {reason.value: number for reason, number in self._letters.items() if number}

    def snapshot(self) -> dict[str, int]:
        """Every count by name, zeros included."""
        with self._lock:
            return {name.value: self._counts[name] for name in Count}
