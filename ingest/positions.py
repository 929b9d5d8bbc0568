"""The receiver's half of go-back-N: which sequenced pack is next, for every agent of one site.

Pure: arrivals in, verdicts out. It decides order only; what a pack says is `ingest.accept`'s. Two dangers shape it. A
late copy of an old boot's pack must not move the position of the live one; and no live agent may wait for ever, not
even when the operational store was restored from a backup and has never heard of the packs that the agent settled.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from domain.records import Position

RECENT_BOOTS = 8  # per agent
_NO_BOOTS: Mapping[str, int] = MappingProxyType({})


class Turn(StrEnum):
    """Whether it is this pack's turn."""

    NEXT = "next"
    DUPLICATE = "duplicate"
    OUT_OF_ORDER = "out_of_order"
    OLD_BOOT = "old_boot"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The turn; `answer` is the position to receipt (None: say nothing), `skipped` how many packs will never come."""

    turn: Turn
    answer: Position | None
    skipped: int = 0


class Positions:
    """Where every agent of one site stands."""

    def __init__(self, positions: Mapping[str, Position], seen: Iterable[Position] = ()) -> None:
        """`positions`: as committed. `seen`: older boots still known from the journal, in order of arrival."""
        self._current: dict[str, Position] = {}
        self._boots: dict[str, OrderedDict[str, int]] = {}
        self._online: dict[str, str] = {}
        for position in (*seen, *positions.values()):
            self._move(position)

    def current(self, agent: str) -> Position | None:
        """The agent's position; None when it has none yet."""
        return self._current.get(agent)

    def through(self, agent: str, boot: str) -> int:
        """How far that boot of the agent is settled, as far as is remembered; 0 when nothing is."""
        return self._boots.get(agent, _NO_BOOTS).get(boot, 0)

    def advance(self, position: Position) -> Position:
        """The agent's live boot was settled in order up to here."""
        return self._move(position)

    def online(self, agent: str, boot: str) -> None:
        """The agent itself says that it runs as `boot`."""
        self._online[agent] = boot

    def rule(self, agent: str, boot: str, seq: int, low: Callable[[], int | None]) -> Ruling:
        """Whether pack `seq` of `boot` is next; the position moves when it is. `low` reads the pack's label of that
        name and is only asked when the pack is ahead."""
        current = self._current.get(agent)
        known: Mapping[str, int] = self._boots.get(agent, _NO_BOOTS)
        if current is not None and boot != current.boot and boot in known and self._online.get(agent) != boot:
            return Ruling(Turn.OLD_BOOT, None)
        through = known.get(boot, 0)
        if seq <= through:
            position = self._move(Position(agent, boot, through))
            return Ruling(Turn.DUPLICATE, position)
        if seq == through + 1:
            return Ruling(Turn.NEXT, self._move(Position(agent, boot, seq)))
        oldest = low() or 0
        replaces = current is not None and boot not in known
        if oldest > through + 1 and not (replaces and current and self._online.get(agent) == current.boot):
            return self._skip(Position(agent, boot, through), seq, min(oldest, seq))
        return Ruling(Turn.OUT_OF_ORDER, Position(agent, boot, through))

    def _skip(self, before: Position, seq: int, oldest: int) -> Ruling:
        """The agent no longer holds what is missing: go on from the oldest that it holds."""
        through = seq if seq == oldest else oldest - 1
        position = self._move(Position(before.agent, before.boot, through))
        turn = Turn.NEXT if seq == oldest else Turn.OUT_OF_ORDER
        return Ruling(turn, position, oldest - 1 - before.through)

    def _move(self, position: Position) -> Position:
        boots = self._boots.setdefault(position.agent, OrderedDict())
        boots[position.boot] = max(position.through, boots.get(position.boot, 0))
        boots.move_to_end(position.boot)
        while len(boots) > RECENT_BOOTS:
            boots.popitem(last=False)
        self._current[position.agent] = position
        return position
