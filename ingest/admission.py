"""Who and what may be new at a site: new agents per hour, and points that no catalogue knows. Pure.

Decides by counting. Agents that the catalogue names, that have a position or that own a point are never new. One that
is turned away gets no receipt, so it holds its readings and is heard an hour later or as soon as the catalogue names
it; a broken or hostile program that makes up names fills neither the store nor the memory.
"""

from collections import deque
from collections.abc import Iterable

from domain.times import HOUR

MOST_TURNED_AWAY = 1_000  # names that are remembered; then all are forgotten and may leave a letter again


class Admission:
    """The agents of one site."""

    def __init__(self, known: Iterable[str], per_hour: int) -> None:
        self._known = set(known)
        self._per_hour = per_hour
        self._admitted: deque[int] = deque()
        self._turned_away: set[str] = set()

    def expect(self, agents: Iterable[str]) -> None:
        """The catalogue names these."""
        self._known.update(agents)

    def knows(self, agent: str) -> bool:
        """Whether the agent is not new."""
        return agent in self._known

    def admit(self, agent: str, now: int) -> bool:
        """Whether the agent is heard; a new one is known from then on."""
        if agent in self._known:
            return True
        while self._admitted and now - self._admitted[0] >= HOUR:
            self._admitted.popleft()
        if len(self._admitted) >= self._per_hour:
            return False
        self._admitted.append(now)
        self._known.add(agent)
        self._turned_away.discard(agent)
        return True

    def first_refusal(self, agent: str) -> bool:
        """Whether the agent was not turned away before (as far as is remembered)."""
        if agent in self._turned_away:
            return False
        if len(self._turned_away) >= MOST_TURNED_AWAY:
            self._turned_away.clear()
        self._turned_away.add(agent)
        return True
