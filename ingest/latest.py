"""The newest reading of every point, collected in memory and written about each second: what the board shows.

Newest by event time; a late reading never replaces a newer one (the store holds that too). Not durable by itself: what
a crash loses comes again with the replay of the journal. A batch is only put aside when it comes; the newest of each
point is looked for in all of them at once, because most are overtaken within the second.
"""

from itertools import accumulate, repeat

import numpy as np
import structlog

from domain.batch import ReadingBatch
from domain.ports import Ledger
from domain.readings import QualityCode
from domain.records import Latest

MOST_ASIDE = 20_000  # readings in batches that were put aside; then the newest of them are looked for

_QUALITY = [code.quality for code in sorted(QualityCode)]
_log = structlog.get_logger()


class LatestBoard:
    """One site's newest readings that are not written yet: at most one row per point, and the batches put aside."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._rows: dict[str, Latest] = {}
        self._aside: list[ReadingBatch] = []
        self._readings = 0

    def take(self, batch: ReadingBatch) -> None:
        """Note the newest readings of the batch; of two at one time the later in arrival counts."""
        if not len(batch):
            return
        self._aside.append(batch)
        self._readings += len(batch)
        if self._readings >= MOST_ASIDE:
            self._look_through()

    def flush(self, ledger: Ledger) -> None:
        """Write what changed; when the store refuses, the rows stay for the next time."""
        self._look_through()
        if not self._rows:
            return
        rows = list(self._rows.values())
        try:
            ledger.flush_latest(self._site, rows)
        except Exception as error:  # noqa: BLE001 - any failure of the store: kept, and tried again
            _log.warning("the newest readings were not written; tried again", site=self._site, error=str(error))
            return
        self._rows.clear()

    def _look_through(self) -> None:
        """Move the newest reading of each point from the batches put aside to the rows."""
        batches, self._aside, self._readings = self._aside, [], 0
        if not batches:
            return
        known = self._rows
        for row in _newest(batches):
            present = known.get(row.point)
            if present is None or present.time <= row.time:
                known[row.point] = row


def _newest(batches: list[ReadingBatch]) -> list[Latest]:
    """The newest reading of each point; of two at one time the later in arrival."""
    numbers: dict[str, int] = {}
    point = np.concatenate(
        [
            np.array([numbers.setdefault(name, len(numbers)) for name in batch.points], np.int64)[batch.point]
            for batch in batches
        ]
    )
    time = np.concatenate([batch.time for batch in batches])
    order = np.lexsort((time, point))
    rows = order[np.flatnonzero(np.append(np.diff(point[order]) != 0, True))]
    begin = [0, *accumulate(len(batch) for batch in batches)]
    texts = {
        first + row: text for first, batch in zip(begin, batches, strict=False) for row, text in batch.texts.items()
    }
    received = np.repeat([batch.received for batch in batches], np.diff(begin))[rows]
    names = list(numbers)
    value = np.concatenate([batch.value for batch in batches])[rows]
    quality = np.concatenate([batch.quality for batch in batches])[rows]
    columns = (
        [names[number] for number in point[rows].tolist()],
        time[rows].tolist(),
        value.tolist(),
        [_QUALITY[code] for code in quality.tolist()],
        received.tolist(),
        [texts.get(row, "") for row in rows.tolist()] if texts else repeat(""),
    )
    return list(map(Latest, *columns))  # a call per row from Python costs twice as much
