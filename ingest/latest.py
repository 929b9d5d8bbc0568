"""The newest reading of every point, collected in memory and written about each second: what the board shows.

Newest by event time; a late reading never replaces a newer one (the store holds that too). Not durable by itself: what
a crash loses comes again with the replay of the journal.
"""

import numpy as np
import structlog

from domain.batch import ReadingBatch
from domain.ports import Ledger
from domain.readings import QualityCode
from domain.records import Latest

_log = structlog.get_logger()


class LatestBoard:
    """One site's newest readings that are not written yet: at most one row per point."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._rows: dict[str, Latest] = {}

    def take(self, batch: ReadingBatch) -> None:
        """Note the newest readings of the batch; of two at one time the later in arrival counts."""
        if not len(batch):
            return
        order = np.lexsort((batch.time, batch.point))
        last = np.flatnonzero(np.append(np.diff(batch.point[order]) != 0, True))
        for row in order[last].tolist():
            name, time = batch.points[batch.point[row]], int(batch.time[row])
            present = self._rows.get(name)
            if present is not None and present.time > time:
                continue
            self._rows[name] = Latest(
                name,
                time,
                float(batch.value[row]),
                QualityCode(int(batch.quality[row])).quality,
                batch.received,
                batch.texts.get(row, ""),
            )

    def flush(self, ledger: Ledger) -> None:
        """Write what changed; when the store refuses, the rows stay for the next time."""
        if not self._rows:
            return
        rows = list(self._rows.values())
        try:
            ledger.flush_latest(self._site, rows)
        except Exception as error:  # noqa: BLE001 - any failure of the store: kept, and tried again
            _log.warning("the newest readings were not written; tried again", site=self._site, error=str(error))
            return
        self._rows.clear()
