"""Messages between the network thread and the workers: bounded by number and bytes over all sites together.

A site that another worker serves is closed: its messages are refused, and its agents send them again to that one.
Policy when full: nothing is dropped. `full` tells the network thread to stop reading its socket, so that the broker
and then the agents hold what they have; one read may still go beyond the bound.
"""

import threading
from collections import deque
from collections.abc import Sequence
from itertools import groupby

import msgspec

from wire.rejection import Rejection
from wire.topics import ROOT, Topic

STRAY = ""  # the queue of messages that belong to no site


class Ack(msgspec.Struct, frozen=True, gc=False):
    """A message that still has to be acknowledged, on the connection (`generation`) that brought it."""

    generation: int
    mid: int
    qos: int


class Inbound(msgspec.Struct, frozen=True, gc=False):
    """One message from the broker. `size` is the payload's true length; `payload` may be cut when it is too large.

    `letter` is the id of the dead letter that is replayed (0: none), which was first received at `first_received`.
    """

    text: str
    topic: Topic | Rejection
    payload: bytes
    size: int
    retained: bool = False
    ack: Ack | None = None
    letter: int = 0
    first_received: int = 0


class Inbox:
    """Queues by site with one bound over all; safe between threads."""

    def __init__(self, most_messages: int, most_bytes: int) -> None:
        self._most_messages, self._most_bytes = most_messages, most_bytes
        self._queues: dict[str, deque[Inbound]] = {STRAY: deque()}
        self._closed: set[str] = set()
        self._messages = self._bytes = 0
        self._lock = threading.Lock()
        self._arrived: dict[str, threading.Condition] = {STRAY: threading.Condition(self._lock)}

    def open(self, site: str) -> None:
        """Queue the site's messages from now on apart from those of unknown sites."""
        with self._lock:
            self._closed.discard(site)
            if site not in self._queues:
                self._queues[site] = deque()
                self._arrived[site] = threading.Condition(self._lock)

    def close(self, site: str) -> list[Inbound]:
        """Another worker serves the site: refuse its messages from now on; those that wait here are given back."""
        with self._lock:
            self._closed.add(site)
            left = list(self._queues.pop(site, ()))
            self._messages -= len(left)
            self._bytes -= sum(len(message.payload) for message in left)
            return left

    def put(self, message: Inbound) -> None:
        """Add a message to the queue of its site."""
        self.put_all((message,))

    def put_all(self, messages: Sequence[Inbound]) -> list[Inbound]:
        """Add messages in order, each to the queue of its site; those of closed sites come back."""
        refused: list[Inbound] = []
        with self._lock:
            for site, run in groupby(messages, site_of):
                if site in self._closed:
                    refused += run
                    continue
                key = site if site in self._queues else STRAY
                added = list(run)
                self._queues[key] += added
                self._messages += len(added)
                self._bytes += sum([len(message.payload) for message in added])
                self._arrived[key].notify()
        return refused

    def put_back(self, site: str, messages: Sequence[Inbound]) -> None:
        """Return messages that were taken and not settled, before all others."""
        with self._lock:
            self._queues[site].extendleft(reversed(messages))
            self._messages += len(messages)
            self._bytes += sum(len(message.payload) for message in messages)
            self._arrived[site].notify()

    def take(self, site: str, most: int, seconds: float) -> list[Inbound]:
        """Up to `most` messages of the site in order of arrival; waits up to `seconds` for the first."""
        with self._lock:
            queue = self._queues[site]
            if not queue and seconds > 0:
                self._arrived[site].wait(seconds)
            taken = [queue.popleft() for _ in range(min(most, len(queue)))]
            self._messages -= len(taken)
            self._bytes -= sum([len(message.payload) for message in taken])
            return taken

    @property
    def full(self) -> bool:
        """Whether no more should be read."""
        with self._lock:
            return self._messages >= self._most_messages or self._bytes >= self._most_bytes

    @property
    def room(self) -> int:
        """How many messages may still be added; 0 when it is full."""
        with self._lock:
            return 0 if self._bytes >= self._most_bytes else max(0, self._most_messages - self._messages)

    @property
    def depth(self) -> int:
        """How many messages wait."""
        with self._lock:
            return self._messages


def site_of(message: Inbound) -> str:
    """The site that the topic names, also when the rest of the topic is wrong; empty when it names none."""
    if isinstance(message.topic, Topic):
        return message.topic.site
    root, rest = message.text[: len(ROOT) + 1], message.text[len(ROOT) + 1 :]
    return rest.partition("/")[0] if root == f"{ROOT}/" else ""
