"""What notify is handed over: channels per role, whom a rule tells later, and the figures of the weekly list."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from caretaker.notices import MOST_BAD, escalations, recipients, weekly_look
from caretaker.settings import NotifySettings, Settings
from caretaker.wiring import open_operational, open_series
from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.batch import ReadingBatch
from domain.errors import CaretakerError
from domain.records import Commit
from domain.times import DAY, HOUR, MINUTE
from notify.weekly import BadOne
from store.operational.store import OperationalStore

NOW = 1_780_000_000_000 // DAY * DAY
COLD = AlarmKey("cold-high", "fridge-1/temperature")
SITE = """\
site: {id: school, title: School, timezone: Asia/Shanghai}
areas: [{id: kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, points: {temperature: {interval: 60s}}}
"""
RULES = """\
rules:
  - id: cold-high
    applies_to: {metric: temperature}
    condition: {above: 8.0, deadband: 0.5}
    on_delay: 30min
    priority: high
    escalate: {to: [canteen_manager, maintenance], after: [0min, 15min]}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def store(settings: Settings) -> Iterator[OperationalStore]:
    with closing(open_operational(settings)) as made:
        made.apply_site("school", (("site.yaml", SITE),), "test", NOW)
        made.apply_rules("school", (("rules.yaml", RULES),), "test", NOW)
        made.commission("school", NOW - 60 * DAY, "test", NOW)
        assert made.acquire("school", "worker", NOW, DAY) == 1
        yield made


def test_whom_a_rule_tells_follows_the_revision_in_force(store: OperationalStore) -> None:
    look_up = escalations(store)
    assert look_up("school", "cold-high") == (("canteen_manager", 0), ("maintenance", 15 * MINUTE))
    assert look_up("school", "gone") == ()
    assert look_up("nowhere", "cold-high") == ()
    store.apply_rules("school", (("rules.yaml", RULES.replace("15min", "5min")),), "li", NOW)
    assert look_up("school", "cold-high")[1] == ("maintenance", 5 * MINUTE)


def test_roles_have_channels_of_their_own(settings: Settings) -> None:
    wish = NotifySettings(channels=("json://localhost",), roles={"maintenance": ("json://other",)})
    told = recipients(settings.model_copy(update={"notify": wish}))
    assert [one.name for one in told.common] == ["log", "json-1"]
    assert [one.name for one in told.later(["maintenance"])] == ["maintenance-json-1"]
    bad = NotifySettings(roles={"maintenance": ("nonsense://x",)})
    with pytest.raises(CaretakerError, match=r"notify\.roles\.maintenance: entry 1"):
        recipients(settings.model_copy(update={"notify": bad}))


def noisy(store: OperationalStore, *hours: int) -> ReadingBatch:
    """Thirty days of 4 °C but for 37 minutes of 9 °C every day, and the alarms of the last week's given hours."""
    for hour in hours:
        raised = NOW - hour * HOUR
        for kind, at in ((EventKind.RAISE, raised), (EventKind.CLEAR, raised + 7 * MINUTE)):
            known = {"priority": Priority.HIGH, "level": 0, "value": 9.0, "since": at}
            event = AlarmEvent(kind, COLD, Reason.ABOVE_LIMIT, at, at, **known)  # type: ignore[arg-type]  # by name
            store.commit(Commit("school", "worker", 1, at, events=(event,)))
    minutes = np.arange(30 * 24 * 60)
    values = np.where(minutes % 1440 < 37, 9.0, 4.0)
    time = NOW - 30 * DAY + minutes * MINUTE
    count = len(time)
    return ReadingBatch(
        "school", NOW, (COLD.point,), np.zeros(count, np.int32), time, values, np.zeros(count, np.uint8)
    )  # fmt: skip


def test_the_week_names_its_bad_alarms_with_a_change_that_was_tried_on_a_month(
    settings: Settings, store: OperationalStore
) -> None:
    with closing(open_series(settings)) as series:
        series.append(noisy(store, 24, 48, 200))
        week = weekly_look(store, series)("school", NOW - 7 * DAY, NOW)
    assert week.told == 2  # not the one of the week before
    assert week.bad == (BadOne(COLD, 2, 2, 0, "on_delay 45min", 30),)


def test_a_quiet_week_has_none(settings: Settings, store: OperationalStore) -> None:
    with closing(open_series(settings)) as series:
        week = weekly_look(store, series)("school", NOW - 7 * DAY, NOW)
    assert (week.told, week.bad) == (0, ())
    assert MOST_BAD > 1
