"""What the site's side of ingest needs of the broker connection, so that it can be tested without one."""

from collections.abc import Sequence
from typing import Protocol

from ingest.inbox import Ack


class Link(Protocol):
    """The broker connection as a session sees it."""

    @property
    def connected(self) -> bool:
        """Whether the connection stands and is subscribed."""

    @property
    def hearing(self) -> bool:
        """Whether messages can arrive: connected, subscribed, and not held up by a full inbox."""

    @property
    def connections(self) -> int:
        """How many times it connected."""

    def acknowledge(self, acks: Sequence[Ack]) -> None:
        """Tell the broker that these messages are safe."""
