"""What people read, in both languages."""

from dataclasses import replace

from domain.alarms import AlarmKey, AlarmState, EventKind, Priority, Reason, Transition
from domain.catalogue import Area, Asset, Catalogue, Label, Point
from domain.units import UNITS
from notify.decide import Action, Verdict, Why
from notify.message import _HEADLINES, _PRIORITIES, _REASONS, _WHYS, MOST_LINES, Notice, compose

NOON = 1_780_000_000_000  # 2026-05-28 20:26:40 UTC
CATALOGUE = Catalogue(
    "school",
    Label("Sunshine School", "阳光小学"),
    "Asia/Shanghai",
    None,
    (Area("kitchen", Label("Kitchen", "厨房")),),
    (
        Asset(
            "fridge-1",
            "refrigerator",
            "kitchen",
            Label("Fridge 1", "1号冷藏柜"),
            (Point("fridge-1", "temperature", UNITS["Cel"], label=Label("temperature", "温度")),),
        ),
        Asset(
            "boiler-1",
            "boiler",
            "kitchen",
            Label("Boiler"),
            (
                Point(
                    "boiler-1",
                    "status",
                    UNITS["state"],
                    label=Label("status", "状态"),
                    states={"off": 0, "run": 1, "fault": 2},
                ),
            ),
        ),
    ),
)
RAISED = Transition(
    "school",
    AlarmKey("cold-high", "fridge-1/temperature"),
    EventKind.RAISE,
    AlarmState.NORMAL,
    AlarmState.UNACKNOWLEDGED,
    Reason.ABOVE_LIMIT,
    Priority.HIGH,
    0,
    9.25,
    NOON,
    NOON,
    False,
)
PAGE = Verdict(Action.PAGE, Why.RAISED)
FAULT = replace(
    RAISED,
    key=AlarmKey("boiler-fault", "boiler-1/status"),
    reason=Reason.STATE_ENTERED,
    priority=Priority.URGENT,
    value=2.0,
)


def test_an_alarm_in_english() -> None:
    message = compose([Notice(RAISED, PAGE)], CATALOGUE, "en")
    assert message.title == "Alarm (high): Sunshine School, Fridge 1"
    assert message.body == (
        "Fridge 1 · temperature: 9.25 °C, above the limit (cold-high), since 2026-05-29 04:26. Please acknowledge."
    )
    assert (message.site, message.action, message.priority) == ("school", Action.PAGE, Priority.HIGH)


def test_an_alarm_in_chinese() -> None:
    message = compose([Notice(RAISED, PAGE)], CATALOGUE, "zh")
    assert message.title == "报警（高）：阳光小学 1号冷藏柜"
    assert message.body == "1号冷藏柜 · 温度：9.25 °C，高于限值（cold-high），自 2026-05-29 04:26 起。请确认。"


def test_the_rules_title_stands_in_for_its_id_when_it_is_known() -> None:
    titles = {("school", "cold-high"): Label("Cold storage too warm", "冷藏温度过高")}
    message = compose([Notice(RAISED, PAGE)], CATALOGUE, "zh", lambda site, rule: titles.get((site, rule)))
    assert "（冷藏温度过高）" in message.body
    other = compose([Notice(FAULT, PAGE)], CATALOGUE, "zh", lambda site, rule: titles.get((site, rule)))
    assert "（boiler-fault）" in other.body


def test_a_state_is_shown_by_its_name() -> None:
    message = compose([Notice(FAULT, PAGE)], CATALOGUE, "en")
    assert "status: fault, in an alarm state" in message.body


def test_without_a_catalogue_the_ids_are_shown_and_utc() -> None:
    message = compose([Notice(RAISED, PAGE)], None, "en")
    assert message.title == "Alarm (high): school, fridge-1"
    assert "fridge-1 · temperature: 9.25, above" in message.body
    assert "2026-05-28 20:26 UTC" in message.body


def test_a_point_that_the_catalogue_no_longer_has_is_shown_by_its_id() -> None:
    gone = replace(RAISED, key=AlarmKey("cold-high", "old-9/temperature"))
    assert compose([Notice(gone, PAGE)], CATALOGUE, "en").body.startswith("old-9 · temperature: 9.25, above")


def test_an_alarm_without_a_number_shows_none() -> None:
    for value in (None, float("nan")):
        silent = replace(RAISED, reason=Reason.NO_DATA, value=value, priority=None)
        message = compose([Notice(silent, PAGE)], CATALOGUE, "en")
        assert message.title == "Alarm: Sunshine School, Fridge 1"
        assert "temperature: no data (cold-high)" in message.body


def test_numbers_are_short() -> None:
    for value, shown in ((8.0, "8 °C"), (-18.456, "-18.46 °C"), (0.1 + 0.2, "0.3 °C"), (100.0, "100 °C")):
        assert f": {shown}," in compose([Notice(replace(RAISED, value=value), PAGE)], CATALOGUE, "en").body


def test_a_summary_is_not_called_an_alarm() -> None:
    past = Notice(replace(RAISED, retroactive=True), Verdict(Action.SUMMARY, Why.PAST_EXCURSION))
    message = compose([past], CATALOGUE, "en")
    assert message.title == "For your information: Sunshine School, Fridge 1"
    assert "at 2026-05-29 04:26. This is over, but must be answered." in message.body
    assert compose([past], CATALOGUE, "zh").title == "通知：阳光小学 1号冷藏柜"


def test_several_alarms_are_one_message_with_the_gravest_first() -> None:
    message = compose([Notice(RAISED, PAGE), Notice(FAULT, PAGE)], CATALOGUE, "en")
    assert message.title == "Alarm (urgent): Sunshine School, Boiler +1"
    assert [line.split(" · ")[0] for line in message.body.splitlines()] == ["Boiler", "Fridge 1"]
    assert message.priority is Priority.URGENT


def test_a_long_list_is_cut_and_counted() -> None:
    many = [Notice(RAISED, PAGE)] * (MOST_LINES + 3)
    for language, rest in (("en", "… and 3 more"), ("zh", "……另有 3 条")):
        lines = compose(many, CATALOGUE, language).body.splitlines()
        assert (len(lines), lines[-1]) == (MOST_LINES + 1, rest)
    assert len(compose(many[:MOST_LINES], CATALOGUE, "en").body.splitlines()) == MOST_LINES


def test_every_word_exists_in_both_languages() -> None:
    assert set(_REASONS) == set(Reason)
    assert set(_PRIORITIES) == set(Priority)
    for words in (_REASONS, _PRIORITIES, _WHYS, _HEADLINES):
        assert all(label.en and label.zh for label in words.values())


def test_every_reason_to_tell_somebody_has_its_words() -> None:
    told = {
        Why.RAISED, Why.STEPPED_UP, Why.FOUND_LATE, Why.OVERLAY_LIFTED, Why.PAST_EXCURSION, Why.RETURNED_UNANSWERED,
        Why.INCIDENT, Why.INCIDENT_GRAVER, Why.ESCALATED,
    }  # fmt: skip
    assert set(_WHYS) == told
