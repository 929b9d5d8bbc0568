"""Which readings of a batch need a look at what is stored: those that are not newer than all their point has.

Remembers the newest stored time of each point of a site, so that the common case (new readings) costs no query. The
memory is trusted only while this process keeps appending: another worker may write for the site once this one's lease
was released or ran out, so after `TRUST_SECONDS` without an append, and after every failed one, it is learned again
from the store.
"""

from collections.abc import Callable

TRUST_SECONDS = 1.0  # well below the lease of a site's worker (15 s)
NOTHING_STORED = -(2**63)


class Newest:
    """The newest times of one site's points. `learn(metric)` gives them for all points of a metric."""

    def __init__(self, learn: Callable[[str], dict[str, int]], monotonic: Callable[[], float]) -> None:
        self._learn, self._monotonic = learn, monotonic
        self._times: dict[str, dict[str, int]] = {}
        self._trusted_until = 0.0

    def begin(self) -> None:
        """An append begins: forget what is too old to be trusted."""
        if self._monotonic() > self._trusted_until:
            self._times.clear()

    def of(self, point: str) -> int:
        """The newest stored time of the point."""
        metric = point.partition("/")[2]
        known = self._times.get(metric)
        if known is None:
            known = self._times[metric] = self._learn(metric)
        return known.get(point, NOTHING_STORED)

    def stored(self, point: str, time: int) -> None:
        """A reading of the point was stored."""
        known = self._times[point.partition("/")[2]]
        known[point] = max(time, known.get(point, NOTHING_STORED))

    def end(self) -> None:
        """The append succeeded: the memory holds for another while."""
        self._trusted_until = self._monotonic() + TRUST_SECONDS

    def forget(self) -> None:
        """An append failed: what the server took of it is not known."""
        self._times.clear()
