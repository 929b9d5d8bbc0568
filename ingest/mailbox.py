"""What ingest wants to publish, between the workers and the network thread: receipts and alarms, all retained.

Bounded by their nature: only the newest payload of a topic is worth publishing, so a newer one replaces it. While the
broker is away the messages wait here.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple


class Parcel(NamedTuple):
    """One retained message to publish."""

    topic: str
    payload: bytes
    qos: int


class Mailbox:
    """Parcels by topic, oldest first; safe between threads. `wake` is called after each post."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.wake = wake
        self._lock = threading.Lock()
        self._parcels: dict[str, Parcel] = {}

    def post(self, topic: str, payload: bytes, qos: int) -> None:
        """Publish the payload, instead of an older one of this topic that still waits."""
        with self._lock:
            self._parcels.pop(topic, None)
            self._parcels[topic] = Parcel(topic, payload, qos)
        self.wake()

    def discard(self, beginning: str) -> None:
        """Forget what waits for topics that begin so: somebody else writes them now."""
        with self._lock:
            for topic in [topic for topic in self._parcels if topic.startswith(beginning)]:
                del self._parcels[topic]

    def collect(self, most: int) -> list[Parcel]:
        """Take out up to `most` parcels."""
        with self._lock:
            topics = list(self._parcels)[:most]
            return [self._parcels.pop(topic) for topic in topics]

    def __len__(self) -> int:
        with self._lock:
            return len(self._parcels)
