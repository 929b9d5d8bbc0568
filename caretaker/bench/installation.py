"""An installation of Caretaker under measurement: its own folder and settings, its site applied, ingest as a process.

Uses the public parts only: the settings file, the wiring and `caretaker ingest`. What ingest has done is read from its
stores, by the same ports that web reads them.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from caretaker.bench import site
from caretaker.bench.children import Child, module
from caretaker.bench.servers import START_SECONDS, wait_for
from caretaker.process import now_ms
from caretaker.settings import Settings, load_settings
from caretaker.wiring import open_operational
from domain.records import TransitionFilter
from ingest.series_writer import CURSOR
from store.operational.store import OperationalStore

SECONDS_PER_POINT = 0.005  # allowed for reading the site's file when ingest starts


class Installation:
    """A prepared installation, and while `running`, its ingest process."""

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        series: str,
        points: int,
        per_agent: int,
        instant: bool,
        rules: str | None = None,
        interval: int | None = None,
    ) -> None:
        self.folder, self.points, self.per_agent = folder, points, per_agent
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "caretaker.toml"
        config.write_text(settings_text(broker_port, series))
        self._config = config
        self.settings: Settings = load_settings(config)
        self.store: OperationalStore = open_operational(self.settings)
        now = now_ms()
        document = ("site.yaml", site.catalogue_text(points, per_agent, interval))
        self.store.apply_site(site.SITE, (document,), "bench", now)
        self.store.commission(site.SITE, now, "bench", now)
        self.store.apply_rules(site.SITE, (("rules.yaml", rules or site.rules_text(instant)),), "bench", now)

    @property
    def agents(self) -> int:
        """How many agents own the points."""
        return -(-self.points // self.per_agent)

    @contextmanager
    def running(self, core: int, figures: Path | None = None) -> Iterator[Child]:
        """Ingest, connected to the broker and at work on the site; it writes what judging costs to `figures`."""
        command = module("caretaker", "ingest", "--config", str(self._config))
        if figures is not None:
            command = module("caretaker.bench.timed_ingest", str(self._config), str(figures))
        with Child(command, core, self.folder / "ingest.log") as child:
            seconds = START_SECONDS + self.points * SECONDS_PER_POINT
            wait_for(lambda: self._at_work(child.pid), seconds, "ingest is at work", child)
            yield child

    def taken(self, boot: str) -> int:
        """How many packs of that boot are committed."""
        positions = self.store.positions(site.SITE).values()
        return sum(position.through for position in positions if position.boot == boot)

    def stored(self) -> bool:
        """Whether the series store has everything that is journalled."""
        return self.store.cursor(site.SITE, CURSOR) >= self.store.journal_end(site.SITE)

    def info(self) -> dict[str, object]:
        """What ingest says of itself in its last sign of life."""
        rows = [row for row in self.store.processes() if row.name == "ingest"]
        found: dict[str, object] = json.loads(rows[0].info) if rows else {}
        return found

    def transitions(self, after: int) -> list[tuple[int, int]]:
        """(id, event time) of the latency rule's transitions behind that id, in order."""
        where = TransitionFilter(site=site.SITE, rule=site.INSTANT, after=after)
        return [(row.id, row.at) for row in self.store.transitions(where, 10_000, newest_first=False)]

    def close(self) -> None:
        """Release the store; the folder stays."""
        self.store.close()

    def _at_work(self, pid: int) -> bool:
        rows = [row for row in self.store.processes() if row.name == "ingest" and row.pid == pid]
        if not rows:
            return False
        info = json.loads(rows[0].info)
        # The first entry says which catalogue and rules are in force: before it nothing is judged.
        return bool(info.get("connected")) and info.get("journal", {}).get(site.SITE, 0) > 0


def settings_text(broker_port: int, series: str) -> str:
    """The settings file; `data` lies beside it."""
    return f"""data_dir = "data"
[broker]
url = "mqtt://127.0.0.1:{broker_port}"
[stores]
series = "{series}"
[log]
level = "warning"
"""
