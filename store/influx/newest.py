"""Which readings of a batch need a look at what is stored: those that are not newer than all their point has.

Remembers the newest stored time of each point of a site, so that the common case (new readings) costs no query.
Another worker may write for the site once this one's lease was released or ran out. So the memory holds as long as the
caller knows that nothing was missed, else for `TRUST_SECONDS` after an append; then, and after every failed append, it
is learned again from the store. A time that is too new (its row was refused) costs a query and nothing else.
"""

from collections.abc import Callable, Iterable, Sequence

TRUST_SECONDS = 1.0  # well below the lease of a site's worker (15 s)
NOTHING_STORED = -(2**63)


class Newest:
    """The newest times of one site's points. `learn(metric)` gives them for all points of a metric."""

    def __init__(self, learn: Callable[[str], dict[str, int]], monotonic: Callable[[], float]) -> None:
        self._learn, self._monotonic = learn, monotonic
        self._times: dict[str, int] = {}
        self._learned: set[str] = set()
        self._trusted_until = 0.0

    def begin(self, *, unbroken: bool) -> None:
        """An append begins: forget what is too old to be trusted. `unbroken`: nothing was missed since the last one."""
        if not unbroken and self._monotonic() > self._trusted_until:
            self.forget()

    def of(self, points: Sequence[str]) -> list[int]:
        """The newest stored time of each point."""
        times = self._times
        try:
            return [times[point] for point in points]
        except KeyError:
            for metric in {point.partition("/")[2] for point in points if point not in times} - self._learned:
                times.update(self._learn(metric))
                self._learned.add(metric)
            return [times.get(point, NOTHING_STORED) for point in points]

    def stored(self, points: Iterable[str], times: Iterable[int]) -> None:
        """The newest time of each of these points, of which `of` was asked, is now that one."""
        self._times.update(zip(points, times, strict=True))

    def end(self) -> None:
        """The append succeeded: the memory holds for another while."""
        self._trusted_until = self._monotonic() + TRUST_SECONDS

    def forget(self) -> None:
        """An append failed: what the server took of it is not known."""
        self._times.clear()
        self._learned.clear()
