"""What is told once stays told once per channel: over retries, restarts, and a channel that is down."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from notify.channels import Answer, open_channels, open_role_channels
from notify.decide import Action
from notify.message import Message
from notify.once import FIRST_RETRY, LONGEST_RETRY, MOST_TRIES, Once, retry_after
from notify.recipients import Recipients
from store.operational.store import OperationalStore
from tests.unit.notify.test_notify_worker import NO, NOON, FakeChannel

WEEK = "weekly:school:2026-11-23"
MESSAGE = Message("school", Action.SUMMARY, None, "title", "body")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OperationalStore]:
    made = OperationalStore(f"sqlite:///{tmp_path / 'operational.db'}")
    with structlog.testing.capture_logs():
        yield made
    made.close()


def tell(once: Once, *channels: FakeChannel, subject: str = WEEK, now: int = NOON) -> None:
    once.send(subject, "school", channels, now, lambda: MESSAGE)
    once.step(now)


def test_it_is_sent_once_however_often_it_is_asked_for(store: OperationalStore) -> None:
    log, sms = FakeChannel("log"), FakeChannel("sms")
    once = Once(store)
    for second in range(3):
        tell(once, log, sms, now=NOON + second * 1_000)
    tell(Once(store), log, sms)
    assert (len(log.sent), len(sms.sent)) == (1, 1)
    assert store.sent_once(WEEK) == {"log": "sent", "sms": "sent"}
    assert once.settled(WEEK, [log, sms])


def test_after_a_restart_only_the_channel_that_has_not_answered_is_asked(store: OperationalStore) -> None:
    log, sms = FakeChannel("log"), FakeChannel("sms", NO, NO)
    tell(Once(store), log, sms)
    assert store.sent_once(WEEK) == {"log": "sent"}
    again = Once(store)
    assert not again.settled(WEEK, [log, sms])
    tell(again, log, sms)
    again.step(NOON + FIRST_RETRY - 1)
    assert (len(log.sent), len(sms.sent), again.pending) == (1, 2, 1)
    again.step(NOON + FIRST_RETRY)
    assert (len(log.sent), len(sms.sent), again.pending) == (1, 3, 0)
    assert store.sent_once(WEEK) == {"log": "sent", "sms": "sent"}


def test_a_channel_that_never_answers_is_given_up_and_kept_as_failed(store: OperationalStore) -> None:
    sms = FakeChannel("sms", *[NO] * 100)
    once = Once(store)
    for attempt in range(MOST_TRIES + 5):
        tell(once, sms, now=NOON + attempt * LONGEST_RETRY)
    assert (len(sms.sent), once.pending) == (MOST_TRIES, 0)
    assert store.sent_once(WEEK) == {"sms": "failed: error=503"}


def test_a_channel_that_is_down_costs_a_round_one_attempt(store: OperationalStore) -> None:
    sms = FakeChannel("sms", *[NO] * 9)
    once = Once(store)
    for number in range(3):
        once.send(f"escalation:{number}:x", "school", [sms], NOON, lambda: MESSAGE)
    once.step(NOON)
    assert len(sms.sent) == 1


def test_what_nobody_need_be_told_of_any_more_is_dropped(store: OperationalStore) -> None:
    sms = FakeChannel("sms", *[NO] * 9)
    once = Once(store)
    for subject in (WEEK, "escalation:1:x", "escalation:2:x"):
        tell(once, sms, subject=subject)
    once.keep("escalation:", {"escalation:2:x"})
    assert once.pending == 2
    assert not once.settled("escalation:1:x", [sms])


def test_the_wait_doubles_up_to_five_minutes() -> None:
    assert [retry_after(tries) for tries in (1, 2, 3, 7, 50)] == [5_000, 10_000, 20_000, LONGEST_RETRY, LONGEST_RETRY]


def test_a_role_has_its_own_channels_or_the_common_ones() -> None:
    common, own = FakeChannel("log"), FakeChannel("maintenance-sms-1")
    told = Recipients((common,), {"maintenance": (own,)})
    assert told.at_once(["canteen_manager"]) == (common,)
    assert told.at_once(["maintenance", "maintenance"]) == (common, own)
    assert told.later(["maintenance"]) == (own,)
    assert told.later(["canteen_manager"]) == (common,)
    assert told.later(["canteen_manager", "maintenance"]) == (common, own)
    assert told.later([]) == ()


def test_channels_of_a_role_are_named_after_it_and_a_bad_one_names_its_setting() -> None:
    (channel,) = open_role_channels("maintenance", ["json://localhost"])
    assert channel.name == "maintenance-json-1"
    assert [one.name for one in open_channels(["json://localhost"])] == ["log", "json-1"]
    with pytest.raises(Exception, match=r"notify\.roles\.maintenance: entry 1 \(nonsense://") as refused:
        open_role_channels("maintenance", ["nonsense://secret"])
    assert "secret" not in str(refused.value)
    assert Answer(True).delivered
