"""What must have been said where readings came late: the journal, read by the plain oracle of late data.

The journal says in which order packs and reviews came; when a review took place decides what was known by then, and so
what was said with it (docs/engine.md, "Late readings"). Everything else follows from the readings, exactly.
"""

from pathlib import Path

from domain.alarms import AlarmKey
from domain.batch import ReadingBatch
from domain.catalogue_file import load_catalogue
from domain.records import Review
from rules.assign import plans_by_point
from rules.condition import Change
from rules.loading import load_documents
from store.operational.store import OperationalStore
from tests.faults.plan import SITE
from tests.late_oracle import Oracle, Row, lived
from tests.said import Said, said_of


def expected_of_journal(operational: Path, rules: str, site: str) -> list[Said]:
    """The transitions of the value rules. The journal must be whole: ValueError when it begins later than with 1."""
    plans = plans_by_point(load_catalogue(site, "site.yaml"), load_documents((("rules.yaml", rules),)))
    oracles = {
        AlarmKey(plan.rule, point): Oracle(plan) for point, found in plans.items() for plan in found if not plan.silence
    }
    said: dict[AlarmKey, list[Change]] = {key: [] for key in oracles}
    store = OperationalStore(f"sqlite:///{operational}")
    try:
        after = 0
        while entries := store.journal(SITE, after, 500):
            for entry in entries:
                after += 1
                if entry.n != after:
                    raise ValueError(f"the journal lacks entry {after}: it was trimmed")
                if isinstance(entry.content, ReadingBatch):
                    _feed(oracles, said, entry.content)
                elif isinstance(entry.content, Review):
                    for key, oracle in oracles.items():
                        if key.point in entry.content.points:
                            said[key] += oracle.review()
    finally:
        store.close()
    if not after:
        raise ValueError("there is no journal")
    return [said_of(one) for key, changes in said.items() for one in lived(SITE, key, oracles[key].plan, changes)]


def _feed(oracles: dict[AlarmKey, Oracle], said: dict[AlarmKey, list[Change]], batch: ReadingBatch) -> None:
    for span in batch.spans:
        rows: dict[str, list[Row]] = {}
        for row in range(span.start, span.stop):
            name = batch.points[batch.point[row]]
            rows.setdefault(name, []).append((int(batch.time[row]), float(batch.value[row]), int(batch.quality[row])))
        for key, oracle in oracles.items():
            said[key] += oracle.pack(rows.get(key.point, ()), span.upto)
