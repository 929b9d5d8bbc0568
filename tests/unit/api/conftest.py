"""A bench for the API: in-memory stores that obey the ports, a clock that stands still, a client without sockets."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.settings import ApiSettings
from domain.alarms import Alarm, AlarmEvent, AlarmKey, EventKind, Overlay, OverlayKind, Priority, Reason, Transition
from domain.batch import Gap
from domain.errors import ConflictError, IllegalTransitionError, NotFoundError
from domain.food import FoodDecision
from domain.lifecycle import apply
from domain.readings import Quality
from domain.records import (
    AgentRow,
    AlarmFilter,
    DeadLetter,
    Discovery,
    Excursion,
    Latest,
    ProcessRow,
    Revision,
    Series,
    TransitionFilter,
    Windows,
)
from domain.times import MINUTE

NOW = 1_772_346_600_000  # 2026-03-01T06:30:00Z, 14:30 at the school

SITE = """
site: {id: school, title: {en: School, zh: 学校}, timezone: Asia/Shanghai}
areas:
  - {id: kitchen, title: {en: Kitchen, zh: 厨房}}
  - {id: plant, title: {en: Plant room, zh: 机房}}
assets:
  - id: fridge-1
    type: refrigerator
    area: kitchen
    title: {en: Fridge 1, zh: 1号冷藏柜}
    content: {en: Milk, zh: 牛奶}
    agent: canteen
    points:
      temperature: {interval: 60s, title: {en: Air temperature, zh: 空气温度}}
      door: {interval: 60s, title: {en: Door, zh: 柜门}}
  - id: boiler-1
    type: boiler
    area: plant
    title: {en: Boiler 1, zh: 1号锅炉}
    points:
      status: {interval: 60s, title: {en: Status, zh: 状态}, states: {off: 0, run: 1, fault: 2}}
  - id: meter-1
    type: energy_meter
    area: plant
    points:
      power: {interval: 60s}
"""

RULES = """
rules:
  - id: cold-high
    title: {en: Too warm, zh: 温度过高}
    applies_to: {asset_type: [refrigerator], metric: temperature}
    levels:
      - {above: 8.0, deadband: 0.5, on_delay: 30min, priority: high}
      - {above: 12.0, priority: urgent}
    response: {en: Move the food, zh: 转移食品}
  - id: cold-low
    applies_to: {asset_type: [refrigerator], metric: temperature}
    condition: {below: 0.0}
    priority: low
  - id: boiler-fault
    title: {en: Boiler fault, zh: 锅炉故障}
    applies_to: {asset_type: [boiler], metric: status}
    condition: {state: fault}
    priority: medium
"""


@dataclass
class FakeConsole:
    """The operational store in memory."""

    revisions: dict[str, Revision] = field(default_factory=dict)
    rules: dict[str, list[Revision]] = field(default_factory=dict)
    commissioned: dict[str, int | None] = field(default_factory=dict)
    latest_rows: dict[str, list[Latest]] = field(default_factory=dict)
    alarm_rows: dict[tuple[str, AlarmKey], Alarm] = field(default_factory=dict)
    log: list[Transition] = field(default_factory=list)
    excursion_rows: list[Excursion] = field(default_factory=list)
    decision_rows: list[FoodDecision] = field(default_factory=list)
    discovery_rows: list[Discovery] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    agent_rows: list[AgentRow] = field(default_factory=list)
    process_rows: dict[str, ProcessRow] = field(default_factory=dict)
    service_rows: dict[tuple[str, str], Overlay] = field(default_factory=dict)
    broken: str = ""
    polls: int = 0

    def sites(self) -> list[str]:
        if self.broken:
            raise OSError(self.broken)
        return list(self.revisions)

    def site_revision(self, site: str, number: int | None = None) -> Revision | None:
        return self.revisions.get(site)

    def rules_revision(self, site: str, number: int | None = None) -> Revision | None:
        found = [one for one in self.rules.get(site, ()) if number in (None, one.number)]
        return found[-1] if found else None

    def rules_revisions(self, site: str, limit: int, before: int | None = None) -> list[Revision]:
        found = [one for one in self.rules.get(site, ()) if before is None or one.number < before]
        return found[::-1][:limit]

    def commissioned_at(self, site: str) -> int | None:
        return self.commissioned.get(site)

    def beat(self, process: ProcessRow) -> None:
        self.process_rows[process.name] = process

    def apply_site(self, site: str, documents: Sequence[tuple[str, str]], by: str, now: int) -> Revision:
        number = self.revisions[site].number + 1 if site in self.revisions else 1
        self.revisions[site] = Revision(site, number, tuple(documents), now, by)
        return self.revisions[site]

    def apply_rules(
        self, site: str, documents: Sequence[tuple[str, str]], by: str, now: int, why: str = ""
    ) -> Revision:
        kept = self.rules.setdefault(site, [])
        kept.append(Revision(site, len(kept) + 1, tuple(documents), now, by, why))
        return kept[-1]

    def commission(self, site: str, at: int | None, by: str, now: int) -> None:
        self.commissioned[site] = at

    def latest(self, site: str) -> list[Latest]:
        self.polls += 1
        return list(self.latest_rows.get(site, ()))

    def alarms(self, where: AlarmFilter, limit: int, offset: int = 0) -> tuple[list[Alarm], int]:
        def wanted(alarm: Alarm) -> bool:
            return (
                where.site in (None, alarm.site)
                and (not where.states or alarm.state in where.states)
                and (not where.priorities or alarm.priority in where.priorities)
                and where.rule in (None, alarm.key.rule)
                and where.point in (None, alarm.key.point, alarm.key.point.partition("/")[0])
                and (where.overlay is None or alarm.overlay(where.overlay) is not None)
                and (not where.set_aside or bool(alarm.overlays))
            )

        found = [alarm for alarm in self.alarm_rows.values() if wanted(alarm)]
        return found[offset : offset + limit], len(found)

    def alarm(self, site: str, key: AlarmKey) -> Alarm | None:
        return self.alarm_rows.get((site, key))

    def command(self, site: str, event: AlarmEvent, expected_version: int | None = None) -> Transition:
        alarm = self.alarm(site, event.key)
        if alarm is None:
            raise NotFoundError(f"no alarm {event.key}")
        if expected_version is not None and alarm.version != expected_version:
            raise ConflictError(f"the alarm has version {alarm.version}, not {expected_version}", "read it again")
        return self.happen(site, event)

    def happen(self, site: str, event: AlarmEvent) -> Transition:
        before = self.alarm_rows.get((site, event.key), Alarm(site, event.key))
        after, transition = apply(before, event)
        self.alarm_rows[site, event.key] = after
        self.log.append(replace(transition, id=len(self.log) + 1))
        return self.log[-1]

    def remove_from_service(
        self, site: str, asset: str, by: str, why: str, until: int | None, now: int
    ) -> tuple[Transition, ...]:
        if (site, asset) in self.service_rows:
            raise IllegalTransitionError(f"{asset} is out of service already", "put it back first")
        self.service_rows[site, asset] = Overlay(OverlayKind.OUT_OF_SERVICE, by, why, now, until)
        return self._each(EventKind.REMOVE_FROM_SERVICE, site, asset, by, why, until, now)

    def return_to_service(self, site: str, asset: str, by: str, note: str, now: int) -> tuple[Transition, ...]:
        if (site, asset) not in self.service_rows:
            raise IllegalTransitionError(f"{asset} is in service")
        del self.service_rows[site, asset]
        return self._each(EventKind.RETURN_TO_SERVICE, site, asset, by, note, None, now)

    def _each(
        self, kind: EventKind, site: str, asset: str, by: str, note: str, until: int | None, now: int
    ) -> tuple[Transition, ...]:
        keys = [key for at, key in self.alarm_rows if at == site and key.point.partition("/")[0] == asset]
        said = {"by": by, "note": note, "until": until}
        return tuple(self.happen(site, AlarmEvent(kind, key, Reason.BY_PERSON, now, now, **said)) for key in keys)

    def out_of_service(self, site: str) -> dict[str, Overlay]:
        return {asset: overlay for (at, asset), overlay in self.service_rows.items() if at == site}

    def transitions(self, where: TransitionFilter, limit: int, newest_first: bool = True) -> list[Transition]:
        def wanted(one: Transition) -> bool:
            return (
                where.site in (None, one.site)
                and where.rule in (None, one.key.rule)
                and where.point in (None, one.key.point, one.key.point.partition("/")[0])
                and one.id > where.after
                and (where.before is None or one.id < where.before)
                and (where.start is None or one.at >= where.start)
                and (where.end is None or one.at < where.end)
            )

        found = [one for one in self.log if wanted(one)]
        return (found[::-1] if newest_first else found)[:limit]

    def excursions(self, site: str, point: str | None, start: int, end: int) -> list[Excursion]:
        return [
            one
            for one in self.excursion_rows
            if one.site == site
            and point in (None, one.point)
            and one.start < end
            and (one.end is None or one.end > start)
        ]

    def excursion(self, site: str, number: int) -> Excursion | None:
        return next((one for one in self.excursion_rows if (one.site, one.id) == (site, number)), None)

    def food_decisions(self, site: str, excursions: Sequence[int]) -> list[FoodDecision]:
        return [one for one in self.decision_rows if one.site == site and one.excursion in excursions]

    def decide_food(self, decision: FoodDecision, supersedes: int | None = None) -> FoodDecision:
        earlier = self.food_decisions(decision.site, [decision.excursion])
        if (earlier[-1].id if earlier else None) != supersedes:
            raise ConflictError("somebody has decided meanwhile", "look at it again, then decide")
        self.decision_rows.append(replace(decision, id=len(self.decision_rows) + 1))
        return self.decision_rows[-1]

    def discoveries(self, site: str) -> list[Discovery]:
        return [one for one in self.discovery_rows if one.site == site]

    def dead_letters(self, site: str | None, limit: int, before: int | None = None) -> list[DeadLetter]:
        found = [one for one in reversed(self.letters) if site in (None, one.site)]
        return [one for one in found if before is None or one.id < before][:limit]

    def agents(self, site: str) -> list[AgentRow]:
        return list(self.agent_rows)

    def processes(self) -> list[ProcessRow]:
        return list(self.process_rows.values())

    def audit(self, site: str | None, limit: int, before: int | None = None) -> list[dict[str, object]]:
        return []


@dataclass
class FakeSeries:
    """The series store in memory: (time, value, quality, text) rows by point."""

    rows: dict[tuple[str, str], list[tuple[int, float, Quality, str]]] = field(default_factory=dict)
    gap_rows: list[Gap] = field(default_factory=list)
    late: dict[tuple[str, int], int] = field(default_factory=dict)  # by point and time: ms until it was received

    def put(self, point: str, *readings: tuple[int, float], site: str = "school") -> None:
        kept = self.rows.setdefault((site, point), [])
        kept += [(time, value, Quality.GOOD, "") for time, value in readings]

    def put_bad(self, point: str, time: int, text: str, site: str = "school") -> None:
        self.rows.setdefault((site, point), []).append((time, float("nan"), Quality.BAD, text))

    def _within(self, site: str, point: str, start: int, end: int) -> list[tuple[int, float, Quality, str]]:
        return [row for row in sorted(self.rows.get((site, point), []), key=lambda r: r[0]) if start <= row[0] < end]

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        found = self._within(site, point, start, end)[:limit]
        return Series(
            np.array([row[0] for row in found], np.int64),
            np.array([row[1] for row in found], np.float64),
            tuple(row[2] for row in found),
            {number: row[3] for number, row in enumerate(found) if row[3]},
            np.array([row[0] + self.late.get((point, row[0]), 200) for row in found], np.int64),
        )

    def window(self, site: str, point: str, start: int, end: int, step: int) -> Windows:
        groups: dict[int, list[tuple[int, float, Quality, str]]] = {}
        for row in self._within(site, point, start, end):
            groups.setdefault(start + (row[0] - start) // step * step, []).append(row)
        good = [[row[1] for row in rows if row[2] is not Quality.BAD] for rows in groups.values()]

        def column(figure: Callable[[list[float]], float]) -> Any:
            return np.array([figure(values) if values else np.nan for values in good], np.float64)

        return Windows(
            np.array(list(groups), np.int64),
            column(min),
            column(lambda values: sum(values) / len(values)),
            column(max),
            column(lambda values: values[-1]),
            np.array([len(values) for values in good], np.int64),
            np.array([len(rows) - len(values) for rows, values in zip(groups.values(), good, strict=True)], np.int64),
        )

    def gaps(self, site: str, start: int, end: int) -> list[Gap]:
        return [gap for gap in self.gap_rows if gap.start < end and gap.end >= start]


@dataclass
class Bench:
    """The application over fakes, and the levers that a story pulls."""

    app: FastAPI
    console: FakeConsole
    series: FakeSeries
    clock: list[int]

    @property
    def now(self) -> int:
        return self.clock[0]

    def request(self, method: str, path: str, strict: bool = True, **options: Any) -> httpx.Response:
        """One request; an exception that escapes the application fails the test unless `strict` is off."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=strict)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path, **options)

        # A thread of its own: the browser tests of the same run keep an event loop in the main one.
        answers: list[httpx.Response] = []
        failures: list[BaseException] = []

        def run() -> None:
            try:
                answers.append(asyncio.run(send()))
            except BaseException as error:  # noqa: BLE001 - handed to the test below
                failures.append(error)

        thread = threading.Thread(target=run, name="request")
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
        return answers[0]

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def json(self, path: str, **options: Any) -> Any:
        answer = self.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def page(self, path: str, language: str = "en", status: int = 200) -> str:
        answer = self.get(path, headers={"accept": "text/html", "accept-language": language})
        assert answer.status_code == status, answer.text
        return answer.text

    def measured(self, point: str, value: float, ago: int = 0, quality: Quality = Quality.GOOD, text: str = "") -> None:
        rows = [row for row in self.console.latest_rows.get("school", []) if row.point != point]
        rows.append(Latest(point, self.now - ago, value, quality, self.now - ago + 200, text))
        self.console.latest_rows["school"] = rows

    def all_measured(self) -> None:
        for point, value in (
            ("fridge-1/temperature", 4.2),
            ("fridge-1/door", 0.0),
            ("boiler-1/status", 1.0),
            ("meter-1/power", 5400.0),
        ):
            self.measured(point, value, ago=12_000)

    def raise_alarm(
        self,
        rule: str = "cold-high",
        point: str = "fridge-1/temperature",
        value: float = 9.4,
        priority: Priority = Priority.HIGH,
        ago: int = 25 * MINUTE,
        level: int = 0,
    ) -> Transition:
        at = self.now - ago
        event = AlarmEvent(
            EventKind.RAISE, AlarmKey(rule, point), Reason.ABOVE_LIMIT, at, at,
            since=at, priority=priority, level=level, value=value,
        )  # fmt: skip
        return self.console.happen("school", event)

    def clear_alarm(self, rule: str = "cold-high", point: str = "fridge-1/temperature", value: float = 6.0) -> None:
        event = AlarmEvent(
            EventKind.CLEAR, AlarmKey(rule, point), Reason.WITHIN_LIMIT, self.now, self.now, since=self.now, value=value
        )
        self.console.happen("school", event)


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """An installation that nobody has described a site to."""
    console, series, clock = FakeConsole(), FakeSeries(), [NOW]
    settings = ApiSettings(cache_dir=_library_dir(tmp_path_factory), stream_poll=1, stream_heartbeat=5_000)
    app = create_app(console, series, clock=lambda: clock[0], settings=settings)  # type: ignore[arg-type]
    return Bench(app, console, series, clock)


@pytest.fixture
def bench(empty: Bench) -> Bench:
    """One commissioned school with rules, no readings yet, and an ingest that is alive."""
    empty.console.apply_site("school", [("site.yaml", SITE)], "setup", NOW)
    empty.console.apply_rules("school", [("rules.yaml", RULES)], "setup", NOW)
    empty.console.commission("school", NOW - 86_400_000, "setup", NOW)
    empty.console.beat(ProcessRow("ingest", 7, NOW - 60_000, NOW - 1_000, '{"lag_ms": 250}'))
    return empty


def _library_dir(factory: pytest.TempPathFactory) -> Path:
    """One cache for the whole run: making the chart library takes two seconds."""
    folder = factory.getbasetemp() / "chart-library"
    folder.mkdir(exist_ok=True)
    return folder
