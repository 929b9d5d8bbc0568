"""What Prometheus may read at /metrics: a closed set of names, each in `METRICS` and in the table of docs/api.md.

Gauges are computed from the stores at each scrape, so that they are right after a restart; only the request counter
lives in this process. One registry per application: two in one process do not disturb each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.board import Freshness, freshness
from api.convert import document
from api.operations import Operations
from domain.alarms import AlarmState, Priority
from domain.records import AlarmFilter
from domain.times import SECOND

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """One metric: its name, its labels and what it says."""

    name: str
    labels: tuple[str, ...]
    says: str


METRICS = {
    definition.name: definition
    for definition in (
        MetricDefinition("caretaker_alarms", ("site", "state", "priority"), "alarms that are not normal"),
        MetricDefinition(
            "caretaker_reading_age_seconds", ("site", "point"), "age of a point's newest reading by event time"
        ),
        MetricDefinition("caretaker_points", ("site", "freshness"), "points by what their newest reading is worth"),
        MetricDefinition("caretaker_agents", ("site", "online"), "edge agents by whether they are online"),
        MetricDefinition("caretaker_discovered_points", ("site",), "points that the catalogue does not know"),
        MetricDefinition("caretaker_dead_letters_total", (), "messages that were not accepted, ever"),
        MetricDefinition("caretaker_process_beat_age_seconds", ("process",), "age of a process's last sign of life"),
        MetricDefinition("caretaker_ingest_lag_seconds", ("process",), "ingest's own figure of how far it is behind"),
        MetricDefinition("caretaker_http_requests_total", ("method", "route", "status"), "requests answered"),
        MetricDefinition("caretaker_http_streams", (), "event streams that are open"),
    )
}


class Metrics:
    """The registry of one application."""

    def __init__(self, operations: Operations) -> None:
        self.registry = CollectorRegistry()
        requests = METRICS["caretaker_http_requests_total"]
        self._requests = Counter(requests.name, requests.says, requests.labels, registry=self.registry)
        self._stores = _Stores(operations)
        self.registry.register(self._stores)

    def count(self, method: str, route: str, status: int) -> None:
        """One request was answered; `route` is the template, so that the set of labels stays bounded."""
        self._requests.labels(method, route, str(status)).inc()

    def text(self, streams: int) -> bytes:
        """Everything in Prometheus' text format."""
        self._stores.streams = streams
        return generate_latest(self.registry)


class _Stores(Collector):
    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self.streams = 0

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        sites = [known.catalogue.site for known in self._operations.sites()]
        yield self._alarms(sites)
        yield from self._points(sites)
        yield self._agents(sites)
        discovered = _gauge("caretaker_discovered_points")
        for site in sites:
            discovered.add_metric([site], len(self._operations.discoveries(site)))
        yield discovered
        newest = self._operations.dead_letters(None, 1, None)
        letters = METRICS["caretaker_dead_letters_total"]
        # Ids ascend without reuse, so the newest one counts them all, also those that were trimmed.
        yield CounterMetricFamily(letters.name, letters.says, value=newest[0].id if newest else 0)
        yield from self._processes()
        streams = _gauge("caretaker_http_streams")
        streams.add_metric([], self.streams)
        yield streams

    def _alarms(self, sites: list[str]) -> Metric:
        family = _gauge("caretaker_alarms")
        for site in sites:
            for state in AlarmState:
                if state is AlarmState.NORMAL:
                    continue
                for priority in Priority:
                    where = AlarmFilter(site, (state,), (priority,))
                    family.add_metric([site, state, priority], self._operations.alarms(where, 1, 0)[1])
        return family

    def _points(self, sites: list[str]) -> Iterator[Metric]:
        ages, worth = _gauge("caretaker_reading_age_seconds"), _gauge("caretaker_points")
        now = self._operations.clock()
        for site in sites:
            latest = {row.point: row for row in self._operations.latest(site)}
            counts = dict.fromkeys(Freshness, 0)
            for point in self._operations.site(site).catalogue.points():
                row = latest.get(point.name)
                counts[freshness(point, row, now)] += 1
                if row is not None:
                    ages.add_metric([site, point.name], (now - row.time) / SECOND)
            for word, count in counts.items():
                worth.add_metric([site, word], count)
        yield ages
        yield worth

    def _agents(self, sites: list[str]) -> Metric:
        family = _gauge("caretaker_agents")
        for site in sites:
            rows = self._operations.agents(site)
            for online in (True, False):
                count = sum(row.online is online for row in rows)
                family.add_metric([site, str(online).lower()], count)
        return family

    def _processes(self) -> Iterator[Metric]:
        beats, lags = _gauge("caretaker_process_beat_age_seconds"), _gauge("caretaker_ingest_lag_seconds")
        now = self._operations.clock()
        for row in self._operations.processes():
            beats.add_metric([row.name], (now - row.beat_at) / SECOND)
            lag = (document(row.info) or {}).get("lag_ms")
            if isinstance(lag, int | float):
                lags.add_metric([row.name], lag / SECOND)
        yield beats
        yield lags


def _gauge(name: str) -> GaugeMetricFamily:
    definition = METRICS[name]
    return GaugeMetricFamily(definition.name, definition.says, labels=definition.labels)
