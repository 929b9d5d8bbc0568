"""What the web process is told by `caretaker`: limits, names and places. Nothing here reads the environment or a
clock.
"""

from dataclasses import dataclass, field
from pathlib import Path

from domain.times import DAY, HOUR, SECOND


@dataclass(frozen=True, slots=True)
class ShelfLimits:
    """The longest time (ms) on the shelf: of any alarm, and of one whose rule watches a legal limit."""

    longest: int = DAY
    longest_legal: int = 2 * HOUR

    def of(self, *, legal: bool) -> int:
        """The one that applies."""
        return min(self.longest, self.longest_legal) if legal else self.longest


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Every limit of the API and the page, with defaults that suit one school on a small machine.

    `hosts` are further names that browsers may call the server by (IP addresses, `localhost` and the machine's own
    name always may). Times in ms. `cache_dir` keeps the chart library between starts; None keeps it in memory.
    """

    version: str = "0.1.0"
    hosts: tuple[str, ...] = ()
    default_language: str = "en"
    cache_dir: Path | None = None
    shelf: ShelfLimits = field(default_factory=ShelfLimits)
    max_streams: int = 64
    stream_poll: int = SECOND
    stream_heartbeat: int = 10 * SECOND
    ingest_silent_after: int = 30 * SECOND
    beat_every: int = 5 * SECOND
