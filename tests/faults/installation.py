"""A fresh installation in a folder of its own: broker, ingest, one agent and its load, with proxies where asked.

The load is the plan of `tests.faults.plan`, replayed by the agent from a CSV file. Whoever restarts the agent hands it
the ticks that the dead one may have had in memory once more: a kill between taking a reading and writing it down must
not count as a loss of the installation.
"""

import json
import random
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from domain.times import MINUTE, SECOND
from store.operational.store import OperationalStore
from tests.faults import processes
from tests.faults.plan import AGENT, MARKER, SITE, Plan
from tests.faults.processes import Process, caretaker, mosquitto, wait_for, wait_until_it_listens
from tests.faults.proxy import Proxy
from tests.support import free_port

IN_MEMORY = 1_100  # rows that an agent may hold between its log of what was produced and its outbox
CALM_TICKS = 200
LOAD_SECONDS = 120  # of load in one file; the agent must not come to its end, for then it promises that all was told


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Installation:
    """One site from its agent to its stores; everything in `folder`, everything ended by `close`."""

    def __init__(
        self, folder: Path, seed: int, *, broker: str = "mosquitto", proxied: bool = False, snapshot_every: str = "5s",
        step: int = 50, begin: int | None = None, fridges: int = 16, outbox: Path | None = None,
        data: Path | None = None, silent_after: str = "",
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.random = folder, random.Random(seed)
        self.plan = Plan(seed, now_ms() - 2 * MINUTE if begin is None else begin, step, fridges)
        self.plan.silent_after = silent_after
        self.rules = self.plan.rules_file()
        self.data, self.outbox = data or folder / "data", outbox or folder / AGENT
        self.produced, self.csv = folder / "produced.jsonl", folder / "load.csv"
        self.broker_port = free_port()
        self.agent_side = Proxy(self.broker_port, seed + 1) if proxied else None
        self.ingest_side = Proxy(self.broker_port, seed + 2) if proxied else None
        self._server_file(broker, snapshot_every)
        config = ("--config", "caretaker.toml")
        self.broker = mosquitto(folder, self.broker_port) if broker == "mosquitto" else caretaker(
            "broker", folder, "broker", *config
        )  # fmt: skip
        self.ingest = caretaker("ingest", folder, "ingest", *config)
        self.agent = caretaker("agent", folder, "edge", "--config", "agent.toml")
        self._parts = [self.agent, self.ingest, self.broker]
        self._written = self._reached = 0
        self._apply()

    @property
    def kills(self) -> int:
        return sum(part.kills for part in self._parts)

    @property
    def operational(self) -> Path:
        return self.data / "operational.sqlite"

    @property
    def series(self) -> Path:
        return self.data / "series.sqlite"

    def close(self) -> None:
        """End every process by its number and every proxy."""
        for part in self._parts:
            part.go_on()
            with suppress(processes.TookTooLongError):
                part.stop(5)
        for proxy in (self.agent_side, self.ingest_side):
            if proxy is not None:
                proxy.close()

    def replace_agent(self, agent: Process) -> None:
        """Another agent instead of the present one, which does not run."""
        self._parts[self._parts.index(self.agent)] = agent
        self.agent = agent

    # Start, and start again

    def keep_journal(self) -> None:
        """Nothing of the journal is trimmed from now on: a reader of it stands at its beginning."""
        store = OperationalStore(f"sqlite:///{self.operational}")
        try:
            store.set_cursor(SITE, "faults", 0)
        finally:
            store.close()

    def start_broker(self) -> None:
        self.broker.start()
        wait_until_it_listens(self.broker_port, self.broker)

    def start_agent(self, *, pace: str = "recorded", ticks: int | None = None) -> None:
        """The agent with the next ticks of the plan, after those that may not have reached its disk."""
        self.write_load(ticks)
        self._agent_file(pace)
        self.agent.start()

    def start(self) -> None:
        """Broker, ingest and the agent with its load; returns when readings are journalled."""
        self.start_broker()
        self.ingest.start()
        self.start_agent()
        wait_for(lambda: self.journal_end() > 3, 60, "the installation takes readings")

    def write_load(self, ticks: int | None = None) -> int:
        """Write the file of the load; the first tick that is in it for the first time."""
        fresh = self.reached()
        again = max(0, fresh - IN_MEMORY // len(self.plan.points) - 1)
        length = LOAD_SECONDS * SECOND // self.plan.step if ticks is None else ticks
        self.plan.write_csv(self.csv, again, fresh + length)
        self._written = fresh + length
        return fresh

    def keep_load(self) -> None:
        """Hand the agent a new file before it comes to the end of the present one; and start one that is dead."""
        near = self.reached() + LOAD_SECONDS * SECOND // self.plan.step // 4
        if self.agent.runs and near < self._written:
            return
        self.agent.stop()
        self.start_agent()

    def reached(self) -> int:
        """The tick after the newest one that the agent's source gave."""
        for line in _tail(self.produced):
            with suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                if row["point"] != MARKER:
                    self._reached = max(self._reached, self.plan.tick_of(row["time"]) + 1)
        return self._reached  # never back: the end of the log may hold nothing but what was given again

    def last_line(self) -> str:
        """The newest whole line of what was produced."""
        lines = _tail(self.produced, 1_000)
        return lines[-2] if len(lines) > 1 else ""

    # What the stores say while everything runs

    def journal_end(self) -> int:
        return self._number("SELECT n FROM journal_ends")

    def series_lag(self) -> int:
        return self.journal_end() - self._number("SELECT n FROM cursors WHERE name = 'series'")

    def _number(self, statement: str) -> int:
        with suppress(sqlite3.OperationalError):
            connection = sqlite3.connect(f"file:{self.operational}?mode=ro", uri=True, timeout=5)
            try:
                found = connection.execute(statement).fetchone()
                return int(found[0]) if found else 0
            finally:
                connection.close()
        return 0

    # The end

    def settle(self, seconds: float = 120.0, *, ended: bool = False) -> None:
        """Heal everything, let the agent drain, and stop all in good order. TookTooLongError when it does not.

        `ended`: the last file of the load is written already.
        """
        for proxy in (self.agent_side, self.ingest_side):
            if proxy is not None:
                proxy.heal()
        self.agent.stop()
        for part, start in ((self.broker, self.start_broker), (self.ingest, self.ingest.start)):
            part.go_on()
            if not part.runs:
                start()
        if not ended:
            self.write_end()
        self.drain(seconds)
        wait_for(lambda: self.series_lag() == 0, seconds, "the series store has everything")
        self.ingest.stop()
        self.broker.stop()

    def write_end(self, ticks: int = 0) -> None:
        """The last file of the load: `ticks` more of the plan, then calm ones and the marker, all at once."""
        fresh = self.reached()
        again = max(0, fresh - IN_MEMORY // len(self.plan.points) - 1)
        if self.plan.calm_from is None:
            self.plan.calm_from = fresh + ticks
        end = fresh + ticks + CALM_TICKS
        marker = (self.plan.begin + end * self.plan.step, MARKER, "1")
        self.plan.write_csv(self.csv, again, end, (marker,))
        self._agent_file("fast")

    def write_marker(self) -> None:
        """A load that is the marker alone, now: for sources that are not the plan."""
        self.plan.write_csv(self.csv, 0, 0, ((now_ms(), MARKER, "1"),))
        self._agent_file("fast")

    def drain(self, seconds: float = 120.0) -> None:
        """Run the agent on the file that is written until everything of its outbox is receipted."""
        drain = Process("drain", [*self.agent.argv, "--until-done"], self.folder)
        self._parts.append(drain)
        drain.start()
        code = drain.wait(seconds)
        if code != 0:
            raise processes.TookTooLongError(f"the agent ended with {code} while it drained: see {drain.log}")
        drain.stop()

    # Files

    def _server_file(self, broker: str, snapshot_every: str) -> None:
        port = self.broker_port if self.ingest_side is None else self.ingest_side.port
        where = f'url = "mqtt://127.0.0.1:{port}"' if broker == "mosquitto" else f"port = {port}"
        self.folder.joinpath("caretaker.toml").write_text(
            f'data_dir = "{self.data}"\n[broker]\n{where}\n[ingest]\nsnapshot_every = "{snapshot_every}"\n'
        )

    def _agent_file(self, pace: str) -> None:
        self.folder.joinpath("agent.toml").write_text(
            self.agent_head() + f'[[source]]\nkind = "csv"\npath = "{self.csv}"\npace = "{pace}"\n'
        )

    def agent_head(self, sample_interval: str = "200ms", outbox_bytes: str = "200MB") -> str:
        port = self.broker_port if self.agent_side is None else self.agent_side.port
        return (
            f'site = "{SITE}"\nagent = "{AGENT}"\nbroker = "mqtt://127.0.0.1:{port}"\ndata_dir = "{self.outbox}"\n'
            f'sample_interval = "{sample_interval}"\ntrust_clock = true\nproduced_log = "{self.produced}"\n'
            f'[outbox]\nmax_bytes = "{outbox_bytes}"\n'
        )

    def _apply(self) -> None:
        """Catalogue, rules and commissioning, as `caretaker site apply` and `rules apply` store them."""
        self.data.mkdir(parents=True, exist_ok=True)
        store = OperationalStore(f"sqlite:///{self.operational}")
        try:
            begin = self.plan.begin - MINUTE
            store.apply_site(SITE, (("site.yaml", self.plan.site_file()),), "faults", begin)
            store.apply_rules(SITE, (("rules.yaml", self.rules),), "faults", begin)
            store.commission(SITE, 0, "faults", begin)
        finally:
            store.close()


def copy_outbox(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def _tail(path: Path, size: int = 1 << 18) -> Sequence[str]:
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - size))
        return file.read().decode("utf-8", "replace").split("\n")
