"""The batch of one site while it grows: rows in columns, and everything else that its messages change.

Decides nothing. Columns are lists, made into arrays once per batch: an array for every pack costs more than its rows.
"""

import numpy as np

from domain.batch import Gap, ReadingBatch, Span
from domain.records import DeadLetter, Discovery, Position
from ingest.inbox import Inbound
from wire.decode import DecodedPack
from wire.plain import Rows


class OpenBatch:
    """What a site's messages add up to. `rows` are good numbers, but for those that `qualities` and `texts` name."""

    def __init__(self) -> None:
        self.messages: list[Inbound] = []
        self.rows = Rows()
        self.spans: list[Span] = []
        self.qualities: dict[int, int] = {}
        self.texts: dict[int, str] = {}
        self.gaps: list[Gap] = []
        self.letters: list[DeadLetter] = []
        self.discoveries: dict[str, Discovery] = {}
        self.owners: dict[str, str] = {}
        self.births: dict[str, bytes] = {}
        self.statuses: list[tuple[str, bool, str]] = []
        self.positions: dict[str, Position] = {}
        self.answers: dict[str, Position] = {}

    def add_pack(self, agent: str, pack: DecodedPack, upto: int, boot: str, seq: int) -> None:
        """The pack's rows as a span of their own."""
        start = len(self.rows)
        self.rows.add(pack.names, pack.point.tolist(), pack.time.tolist(), pack.value.tolist())
        self.spans.append(Span(agent, start, len(self.rows), upto, boot, seq))
        self.texts.update((start + row, text) for row, text in pack.texts.items())
        if pack.quality.any():
            self.qualities.update((start + row, code) for row, code in enumerate(pack.quality.tolist()) if code)

    def columns(self, site: str, received: int) -> ReadingBatch | None:
        """The rows and gaps as of `received` (UTC ms); None when there is neither a pack nor a gap."""
        if not self.spans and not self.gaps:
            return None
        rows, quality = self.rows, np.zeros(len(self.rows), np.uint8)
        if self.qualities:
            quality[list(self.qualities)] = list(self.qualities.values())
        return ReadingBatch(
            site,
            received,
            tuple(rows.names),
            np.array(rows.point, np.int32),
            np.array(rows.time, np.int64),
            np.array(rows.value, np.float64),
            quality,
            tuple(self.spans),
            tuple(self.gaps),
            self.texts,
        )
