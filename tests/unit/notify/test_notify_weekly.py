"""The weekly list: to its roles, once a week and channel, whatever is restarted; a line when nothing is to be said."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
import structlog

from domain.alarms import AlarmKey
from domain.catalogue import Label
from domain.catalogue_file import load_catalogue
from domain.times import DAY, HOUR, MINUTE, SECOND
from domain.weekly import Weekly
from notify.recipients import Recipients
from notify.weekly import AGAIN, SPAN, BadOne, Week, WeeklySettings, weekly_message
from notify.worker import Worker
from store.operational.store import OperationalStore
from tests.unit.notify.test_notify_worker import NO, FakeChannel

MONDAY = 1_795_392_000_000  # 2026-11-23T00:00:00Z: Monday 08:00 in Shanghai
SITE = """\
site: {id: school, title: {en: Sunshine School, zh: 阳光小学}, timezone: Asia/Shanghai}
areas: [{id: kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, title: {en: Fridge 1, zh: 1号冷藏柜}, points: {temperature: {}}}
"""
COLD = AlarmKey("cold-high", "fridge-1/temperature")
BAD = BadOne(COLD, 12, 9, 2, "on_delay 45min", 30)
TITLES = {"cold-high": Label("Too warm", "温度过高")}


class Threads(Executor):
    """Runs what it is given when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, call: Any, /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: call(*given, **named)))
        return future

    def work(self) -> None:
        for future, call in self.waiting:
            try:
                future.set_result(call())
            except Exception as error:  # noqa: BLE001 - as an executor does
                future.set_exception(error)
        self.waiting = []


class Office:
    """A store with one site, and a notify with a weekly list that can be started anew."""

    def __init__(self, store: OperationalStore) -> None:
        self.store, self.week = store, Week(40, (BAD,))
        self.asked: list[tuple[str, int, int]] = []
        self.failing: list[Exception] = []
        self.common, self.fitter = FakeChannel("common"), FakeChannel("maintenance-sms-1")
        self.restart()

    def look(self, site: str, start: int, end: int) -> Week:
        self.asked.append((site, start, end))
        if self.failing:
            raise self.failing.pop()
        return self.week

    def restart(self, *to: str) -> None:
        self.threads = Threads()
        told = Recipients((self.common,), {"maintenance": (self.fitter,)})
        weekly = WeeklySettings(
            Weekly(0, 8, 0), to or ("canteen_manager", "maintenance"), self.look, self.threads
        )  # fmt: skip
        self.worker = Worker(
            self.store, told, language="en", weekly=weekly, rule_title=lambda site, rule: TITLES.get(rule)
        )

    def at(self, now: int) -> None:
        """A round, the figures made, and two rounds more."""
        self.worker.step(now)
        self.threads.work()
        self.worker.step(now + SECOND)
        self.worker.step(now + 2 * SECOND)

    @property
    def sent(self) -> tuple[int, int]:
        return len(self.common.sent), len(self.fitter.sent)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    store = OperationalStore(f"sqlite:///{tmp_path / 'operational.db'}")
    store.apply_site("school", (("site.yaml", SITE),), "test", MONDAY)
    store.commission("school", MONDAY - 30 * DAY, "test", MONDAY)
    with structlog.testing.capture_logs():
        yield Office(store)
    store.close()


def test_it_is_sent_on_monday_at_eight_of_the_site_to_its_roles(office: Office) -> None:
    office.store.note_sent("weekly:school:2026-11-16", "school", "common", MONDAY, "sent")
    office.store.note_sent("weekly:school:2026-11-16", "school", "maintenance-sms-1", MONDAY, "sent")
    office.at(MONDAY - MINUTE)
    assert (office.sent, office.asked) == ((0, 0), [])
    office.at(MONDAY + MINUTE)
    assert office.asked == [("school", MONDAY - SPAN, MONDAY)]
    assert office.sent == (1, 1)
    assert office.common.sent[0].title == "Weekly list of bad alarms: Sunshine School"
    assert office.common.sent[0].body.splitlines()[1] == (
        "Fridge 1 · Too warm: 12 times, 9 over before anybody could act, 2 called a nuisance. "
        "Would help: raise it after 45 min only (30 fewer in the last 30 days, nothing real hidden)."
    )


def test_once_a_week_across_restarts(office: Office) -> None:
    for hour in range(0, 7 * 24 - 1, 12):
        office.restart()
        office.at(MONDAY + hour * HOUR)
    assert (office.sent, len(office.asked)) == ((1, 1), 1)
    office.restart()
    office.at(MONDAY + 7 * DAY)
    assert (office.sent, len(office.asked)) == ((2, 2), 2)


def test_a_restart_in_the_middle_asks_only_the_channel_that_has_not_answered(office: Office) -> None:
    office.fitter.answers = [NO]
    office.at(MONDAY)
    assert office.sent == (1, 1)
    office.restart()
    office.at(MONDAY + HOUR)
    assert office.sent == (1, 2)
    office.restart()
    office.at(MONDAY + 2 * HOUR)
    assert office.sent == (1, 2)


def test_a_notify_that_was_down_on_monday_sends_it_later_in_the_week(office: Office) -> None:
    office.at(MONDAY + 3 * DAY)
    assert office.asked == [("school", MONDAY - SPAN, MONDAY)]
    assert office.sent == (1, 1)


def test_a_site_that_has_gone_live_since_has_no_week_behind_it(office: Office) -> None:
    for since in (MONDAY, MONDAY + HOUR, None):
        office.store.commission("school", since, "test", MONDAY)
        office.restart()
        office.at(MONDAY + 2 * HOUR)
    assert (office.sent, office.asked) == ((0, 0), [])


def test_nobody_waits_for_the_figures(office: Office) -> None:
    for second in range(5):
        office.worker.step(MONDAY + second * SECOND)
    assert (office.sent, len(office.threads.waiting)) == ((0, 0), 1)
    office.threads.work()
    office.worker.step(MONDAY + 5 * SECOND)
    assert office.sent == (1, 1)


def test_figures_that_could_not_be_made_are_tried_again_later(office: Office) -> None:
    office.failing = [OSError("the store is away")]
    office.at(MONDAY)
    office.at(MONDAY + 5 * MINUTE)
    assert (office.sent, len(office.asked)) == ((0, 0), 1)
    office.at(MONDAY + SECOND + AGAIN + MINUTE)
    assert (office.sent, len(office.asked)) == ((1, 1), 2)


def test_a_week_with_nothing_to_say_is_one_line(office: Office) -> None:
    office.week = Week(3, ())
    office.at(MONDAY)
    assert [message.body for message in office.common.sent] == [
        "3 alarms were told this week, none of them a nuisance: nothing to do."
    ]


def test_it_goes_to_the_roles_that_are_set_alone(office: Office) -> None:
    office.restart("maintenance")
    office.at(MONDAY)
    assert office.sent == (0, 1)


def test_a_site_whose_file_cannot_be_read_gets_none(office: Office) -> None:
    office.store.apply_site("broken", (("site.yaml", "site: ["),), "test", MONDAY)
    office.store.commission("broken", MONDAY - DAY, "test", MONDAY)
    office.at(MONDAY)
    assert [site for site, *_ in office.asked] == ["school"]


@pytest.mark.parametrize(
    ("change", "english", "chinese"),
    [
        ("off_delay 20min", "let it be over only after 20 min", "恢复延时改为 20 分钟"),
        ("deadband 1.5", "clear it only 1.5 inside the limit", "回差改为 1.5"),
        ("", "No delay would help without hiding something real", "调整延时无益"),
    ],
)
def test_the_words_of_the_list(change: str, english: str, chinese: str) -> None:
    catalogue = load_catalogue(SITE, "site.yaml")
    week = Week(40, (BadOne(COLD, 12, 9, 2, change, 30), BadOne(AlarmKey("gone", "attic/door"), 1, 1, 0)))
    found = weekly_message("school", week, catalogue, "en", None)
    assert english in found.body
    assert "attic · gone: 1 times" in found.body
    found = weekly_message("school", week, catalogue, "zh", lambda site, rule: TITLES.get(rule))
    assert found.title == "每周不良报警清单：阳光小学"
    assert chinese in found.body
    assert "1号冷藏柜 · 温度过高：12 次" in found.body
