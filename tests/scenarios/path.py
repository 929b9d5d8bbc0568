"""The whole path in one process and in virtual time: sources, agents, broker, ingest, stores, API.

Every part is the real one, except the broker (`tests.scenarios.broker`), the threads and the clock: `WholePath.run`
moves the time and lets everybody do what is due. What is read back comes through the API alone.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.app import create_app
from api.settings import ApiSettings
from caretaker.wiring import judge_factory, rule_documents
from domain.batch import ReadingBatch
from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.readings import Quality, Reading
from domain.records import AppendResult
from domain.records import Series as Readings
from domain.source import PointDescription
from domain.times import DAY, MINUTE, SECOND, iso, parse_time
from edge.agent import Agent
from edge.config import AgentConfig
from edge.config import Broker as BrokerAddress
from edge.outbox import Outbox
from edge.sampling import Feed, Sampler
from ingest.mailbox import Mailbox
from ingest.metrics import Counters
from ingest.parts import Parts
from ingest.series_writer import SeriesFeed
from ingest.settings import IngestSettings
from ingest.site_session import SiteSession
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.said import Said
from tests.scenarios.broker import AgentLink, Broker, Fate, Packet
from tests.scenarios.web import Web
from wire.messages import ClockState, OnlineState, Status, encode_status
from wire.senml import encode_pack
from wire.topics import receipt_topic, status_topic, unsequenced_topic

SCHOOL = Path(__file__).parents[2] / "examples" / "school" / "site.yaml"
PACKS = ("pack:cn-canteen", "pack:facility-basic")
TURN = 4 * SECOND  # ingest looks up at least so often; after 5 s it would count as having stood still
SETTLE = 100  # ms after which ingest commits a batch that is not full
MOST_TURNS = 3_000
OUTBOX_BYTES, OUTBOX_AGE = 200_000_000, 30 * DAY

Row = tuple[str, int, float | None, str]


class Clock:
    """The only time there is; meets `edge.clock.Clock`."""

    def __init__(self, now: int) -> None:
        self.now = now

    def wall(self) -> int:
        return self.now

    def tick(self) -> int:
        return self.now

    def state(self) -> ClockState:
        return ClockState.SYNCHRONISED


class Recorded:
    """A source of readings on record, given as the time reaches them (in the order of the list)."""

    def __init__(self, readings: Sequence[Reading], points: Sequence[PointDescription]) -> None:
        self.readings = readings
        self.position = 0
        self._points = points

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def points(self) -> Sequence[PointDescription]:
        return self._points

    @property
    def exhausted(self) -> bool:
        return False

    def read(self, now: int) -> Iterator[Reading]:
        while self.position < len(self.readings) and self.readings[self.position].time <= now:
            self.position += 1
            yield self.readings[self.position - 1]


class NotedOutbox(Outbox):
    """The agent's queue, and a note of everything that was ever put into it."""

    def __init__(self, path: Path, noted: list[Reading]) -> None:
        super().__init__(path, OUTBOX_BYTES, OUTBOX_AGE)
        self._noted = noted

    def append(self, rows: Sequence[tuple[Reading, int]], now: int) -> None:
        super().append(rows, now)
        self._noted.extend(reading for reading, _ in rows)


@dataclass
class Edge:
    """One edge box: its source and outbox file outlive the process (`agent`, None while it does not run)."""

    config: AgentConfig
    source: Recorded
    produced: list[Reading] = field(default_factory=list)
    boots: int = 0
    agent: Agent | None = None
    link: AgentLink | None = None
    outbox: NotedOutbox | None = None


class Series(SqliteSeriesStore):
    """The series store, which can be `away`: then it neither takes nor gives readings."""

    away = False

    def append(self, batch: ReadingBatch) -> AppendResult:
        self._there()
        return super().append(batch)

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Readings:
        self._there()
        return super().read(site, point, start, end, limit)

    def _there(self) -> None:
        if self.away:
            raise OSError("the series store is away")


class WholePath:
    """One site from its sources to its API. `now` begins at `start` (UTC ms)."""

    def __init__(
        self,
        folder: Path,
        start: int,
        *,
        site: Path | str = SCHOOL,
        rules: Sequence[tuple[str, str]] | None = None,
        commissioned_at: int | None = 0,
        fates: Iterator[Fate] | None = None,
        template: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.begun, self.clock = folder, start, Clock(start)
        text = site if isinstance(site, str) else site.read_text(encoding="utf-8")
        self.catalogue: Catalogue = load_catalogue(text, "site.yaml")
        self.site = self.catalogue.site
        if template is not None:
            (folder / "operational.sqlite").write_bytes(template.read_bytes())
        self.store = OperationalStore(f"sqlite:///{folder}/operational.sqlite")
        self.series = Series(folder / "series.sqlite")
        self.store.apply_site(self.site, (("site.yaml", text),), "test", start)
        self.store.apply_rules(self.site, rule_documents(PACKS) if rules is None else rules, "test", start)
        self.store.commission(self.site, commissioned_at, "test", start)
        self.broker = Broker(fates)
        self.edges: dict[str, Edge] = {}
        self.simple: list[Reading] = []  # what simple devices published
        self.session: SiteSession | None = None
        self.settings = IngestSettings("mqtt://localhost")
        app = create_app(self.store, self.series, clock=lambda: self.clock.now, settings=ApiSettings())
        self.web = Web(app)
        self.start_ingest()

    def close(self) -> None:
        for name in self.edges:
            self.kill_agent(name)
        self.store.close()
        self.series.close()

    # Who runs and who does not

    def add_agent(self, name: str, readings: Iterable[Reading], sample: int = MINUTE) -> None:
        """Install an agent that publishes these readings, each when its time has come, and start it."""
        rows = list(readings)
        points = [
            PointDescription(point.name, point.unit.code, point.interval, point.states)
            for point in (self.catalogue.by_name[known] for known in dict.fromkeys(row.point for row in rows))
        ]
        config = AgentConfig(
            self.site, name, BrokerAddress("localhost", 1883), self.folder / name, sample, OUTBOX_BYTES, OUTBOX_AGE, ()
        )
        self.edges[name] = Edge(config, Recorded(rows, points))
        self.start_agent(name)

    def start_agent(self, name: str, again: int = 0) -> None:
        """Start the agent's process; its source gives the last `again` readings once more."""
        edge = self.edges[name]
        edge.boots += 1
        boot = f"boot-{edge.boots}"
        will = Packet(status_topic(self.site, name), encode_status(Status(OnlineState.OFFLINE, boot)), True)
        edge.link = AgentLink(self.broker, receipt_topic(self.site, name), will)
        self.broker.links.append(edge.link)
        edge.outbox = NotedOutbox(self.folder / name / "outbox.db", edge.produced)
        taken = len({(reading.point, reading.time) for reading in edge.produced})
        edge.source.position = max(0, taken - again)
        sampler = Sampler([Feed(edge.source, stamped=False)], edge.config.sample_interval)
        edge.agent = Agent(edge.config, sampler, edge.outbox, edge.link, self.clock, lambda: boot, "1")
        edge.agent.start()

    def kill_agent(self, name: str) -> None:
        """The agent's process dies: what it held in memory is gone, the connection breaks."""
        edge = self.edges[name]
        if edge.agent is None:
            return
        assert edge.link is not None
        assert edge.outbox is not None
        edge.link.cut()
        self.broker.links.remove(edge.link)
        edge.outbox.close()
        edge.agent = edge.link = edge.outbox = None

    def offline(self, name: str) -> None:
        """The agent's network is gone."""
        link = self.edges[name].link
        assert link is not None
        link.network = False
        link.cut()

    def online(self, name: str) -> None:
        """The agent's network is back."""
        link = self.edges[name].link
        assert link is not None
        link.network = True
        link.connect()

    def start_ingest(self) -> None:
        """Ingest begins, as its worker does it: the lease, the snapshot, the journal after it."""
        self.mailbox, self.counters = Mailbox(), Counters()
        make_judge = judge_factory(self.series, self.store, lambda: self.clock.now / SECOND)
        parts = Parts(
            self.settings, self.store, make_judge, self.clock.wall, self._pause, self.broker, self.mailbox,
            self.counters,
        )  # fmt: skip
        self.feed = SeriesFeed(self.site, self.store, self.series, self.counters, MINUTE)
        epoch = self.store.acquire(self.site, self.settings.worker, self.clock.now, self.settings.lease_ttl)
        assert epoch is not None
        self.session = SiteSession(self.site, epoch, parts)
        self.broker.listen()
        self.session.tick()

    def kill_ingest(self) -> None:
        """SIGKILL: nothing is settled, the mailbox is gone."""
        self.session = None
        self.broker.listening = False

    def stop_ingest(self) -> None:
        """SIGTERM: what was taken is settled, and the last receipts leave."""
        assert self.session is not None
        self.session.close()
        self.broker.from_ingest(self.mailbox.collect(10_000))
        self.kill_ingest()

    def _pause(self, ms: int) -> bool:
        self.clock.now += ms
        return True

    # Time

    def run(self, until: int, stride: int = MINUTE) -> None:
        """Live on to `until`; everybody does what is due at each full stride (UTC ms) and at the end."""
        while self.clock.now < until:
            target = min(until, (self.clock.now // stride + 1) * stride)
            while self.clock.now < target:
                self.clock.now = min(target, self.clock.now + TURN)
                if self.session is not None:
                    self.session.take([])
            self.exchange()

    def exchange(self) -> None:
        """Let agents, broker and ingest talk until nobody has anything to say; a moment passes for each commit."""
        for _ in range(MOST_TURNS):
            busy = [edge.agent.step() == 0 for edge in self.edges.values() if edge.agent is not None]
            if not (self._ingest() or any(busy)):
                break
        else:
            raise AssertionError("they never stop talking")
        while self.session is not None and self.feed.step(self.clock.now):
            pass

    def _ingest(self) -> bool:
        """One turn of ingest; whether anything arrived or was answered."""
        session = self.session
        if session is None:
            return False
        messages = self.broker.to_ingest()
        session.take(messages)
        if session.pending:
            self.clock.now += SETTLE
        session.tick()
        answers = self.mailbox.collect(10_000)
        self.broker.from_ingest(answers)
        return bool(messages or answers)

    # What the API says

    def transitions(self) -> list[dict[str, Any]]:
        """The whole alarm log of the site, oldest first, read page by page."""
        found: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self.web.get("/transitions", site=self.site, after=after, limit=500)
            found += page["items"]
            after = page["next"]
        return found

    def log(self) -> list[Said]:
        """The alarm log of the points that somebody publishes, as far as a backtest must say the same."""
        every = [self.simple, *(edge.source.readings for edge in self.edges.values())]
        published = {reading.point for readings in every for reading in readings}
        return [
            Said(
                one["rule"], one["point"], one["source"], one["target"], one["reason"], one["priority"],
                parse_time(one["at"]),
            )
            for one in self.transitions()
            if one["point"] in published
        ]  # fmt: skip

    def publish_simply(self, device: str, readings: Sequence[Reading]) -> None:
        """A simple device publishes these readings now: no number, no receipt, no promise."""
        units = {point.name: point.unit.code for point in self.catalogue.points()}
        payload = encode_pack(readings, units=units, sent=self.clock.now, upto=0, low=1)
        self.broker.from_agent(Packet(unsequenced_topic(self.site, device), payload))
        self.simple.extend(readings)

    def alarm(self, rule: str, point: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.web.get(f"/sites/{self.site}/alarms/{rule}/{point}")
        return found

    def stored(self) -> list[Row]:
        """Every reading that the API gives, of every point that was published, sorted."""
        rows: list[Row] = []
        for name in sorted({reading.point for edge in self.edges.values() for reading in edge.produced}):
            start: str | None = iso(self.begun - DAY)
            while start is not None:
                span = {"from": start, "to": iso(self.clock.now + DAY), "limit": 10_000}
                page = self.web.get(f"/sites/{self.site}/points/{name}/history", **span)
                rows += [(name, parse_time(one["time"]), one["value"], one["quality"]) for one in page["readings"]]
                start = page["next"]
        return sorted(rows, key=str)

    def produced(self) -> list[Row]:
        """Every reading that an agent took, sorted; one that was given twice counts once."""
        rows = {
            (one.point, one.time, None if math.isnan(one.value) else one.value, one.quality.value)
            for edge in self.edges.values()
            for one in edge.produced
        }
        return sorted(rows, key=str)


def series_of(point: str, start: int, values: Iterable[float | str], step: int = MINUTE) -> list[Reading]:
    """One reading per step from `start` on; a text is a bad reading with that text."""
    return [
        Reading(point, start + number * step, value)
        if isinstance(value, float)
        else Reading(point, start + number * step, math.nan, Quality.BAD, value)
        for number, value in enumerate(values)
    ]
