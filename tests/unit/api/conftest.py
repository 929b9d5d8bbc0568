"""A bench for the API: in-memory stores, a clock that stands still, a client without sockets."""

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.settings import ApiSettings
from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason, Transition
from domain.readings import Quality
from domain.records import (
    Latest,
    ProcessRow,
)
from domain.times import MINUTE
from tests.unit.api.fakes import FakeConsole, FakeSeries

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
