"""What of a pack lies in the future: its clock ran ahead, or a sensor's time is broken. Pure.

Decides, with the allowance of the site, by ingest's own time. Such readings become a dead letter (they can be replayed
when their time has come, if a person finds them right); a promise from the future is cut, because it would make all
that the agent sends later late for ever. Nothing is moved in time.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.batch import Gap
from domain.reasons import DeadReason
from domain.records import DeadLetter
from domain.times import iso
from ingest.inbox import Inbound
from ingest.letters import letter, part_letter
from wire.decode import DecodedPack


@dataclass(frozen=True, slots=True)
class Sifted:
    """What is left; `upto` is the promise that is believed (0: none)."""

    rows: DecodedPack
    upto: int
    gaps: tuple[Gap, ...]
    letters: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True)
class Sieve:
    """One message taken at `received`; what is more than `future` ms later is not believed."""

    site: str
    message: Inbound
    received: int
    future: int

    def sift(self, agent: str, pack: DecodedPack) -> Sifted:
        """The rows, gaps and promise that are believed, and a letter for what is not."""
        last = self.received + self.future
        letters: tuple[DeadLetter, ...] = ()
        if len(pack) and (newest := pack.newest) > last:
            detail = self._detail(newest)
            reason = DeadReason.FUTURE_TIME
            letters += (
                part_letter(self.site, self.message, self.received, reason, detail, lambda part: part.time > last),
            )
            pack = keep_rows(pack, pack.time <= last)
        # An honest promise within the allowance stands; of any other nothing is known but that it was made now.
        upto = pack.upto or 0
        upto = upto if upto <= last else self.received
        if not pack.gaps:
            return Sifted(pack, upto, (), letters)
        gaps = tuple(Gap(agent, g.start, min(g.end, last), g.count, g.reason, g.points) for g in pack.gaps)
        believed = tuple(gap for gap in gaps if gap.start <= last)
        if len(believed) < len(gaps):
            detail = self._detail(max(gap.start for gap in gaps))
            letters += (letter(self.site, self.message, self.received, DeadReason.FUTURE_TIME, detail),)
        return Sifted(pack, upto, believed, letters)

    def _detail(self, newest: int) -> str:
        return f"{iso(newest)} is later than {iso(self.received)}, when it came: set the agent's clock"


def keep_rows(pack: DecodedPack, keep: npt.NDArray[np.bool_]) -> DecodedPack:
    """The pack with those rows only, and only the names that still have one."""
    point = pack.point[keep]
    has_row = np.zeros(len(pack.names), np.bool_)
    has_row[point] = True
    new_index = np.cumsum(has_row, dtype=np.int32) - 1
    new_row = np.cumsum(keep, dtype=np.int64) - 1
    return DecodedPack(
        pack.site,
        tuple(name for name, kept in zip(pack.names, has_row.tolist(), strict=True) if kept),
        new_index[point].astype(np.int32),
        pack.time[keep],
        pack.value[keep],
        pack.quality[keep],
        {int(new_row[row]): text for row, text in pack.texts.items() if keep[row]},
        pack.units,
        pack.gaps,
        pack.sent,
        pack.upto,
        pack.low,
        pack.rejected,
    )
