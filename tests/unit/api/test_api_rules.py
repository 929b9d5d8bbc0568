"""Alarm quality, trying rules and saving them, as programs use them: the guard, its figures and its refusals."""

from typing import Any

import numpy as np
import pytest

from api import rule_desk
from api.problems import Kind
from domain.alarms import AlarmEvent, AlarmKey, EventKind, Nuisance, Priority, Reason
from domain.errors import CaretakerError, NotFoundError
from domain.times import DAY, HOUR, MINUTE, iso
from tests.unit.api.conftest import RULES

QUALITY = "/api/v1/sites/school/alarm-quality"
TRY = "/api/v1/sites/school/rules/try"
SAVE = "/api/v1/sites/school/rules"
POINT = "fridge-1/temperature"
LEGAL = RULES.replace(
    "    response: {en: Move the food, zh: 转移食品}\n",
    "    response: {en: Move the food, zh: 转移食品}\n    basis: {kind: legal, document: The book}\n",
)


def post(bench: Any, path: str, **options: Any) -> Any:
    return bench.request("POST", path, **options)


def alarm_of(bench: Any, kind: EventKind, at: int, **more: Any) -> None:
    event = AlarmEvent(kind, AlarmKey("cold-high", POINT), Reason.ABOVE_LIMIT, at, at, since=at,
                       priority=Priority.HIGH, level=0, value=9.0, **more)  # fmt: skip
    bench.console.happen("school", event)


def documents(text: str) -> dict[str, Any]:
    return {"documents": [{"name": "rules.yaml", "text": text}]}


def warm(bench: Any, *spans: tuple[int, int], hours: int = 24) -> None:
    """A reading a minute over the last hours: 9 °C in the spans (minutes from the beginning), else 4 °C."""
    time = bench.now - hours * HOUR + np.arange(hours * 60) * MINUTE
    minute = np.arange(len(time))
    value = np.full(len(time), 4.0)
    for first, last in spans:
        value[(minute >= first) & (minute <= last)] = 9.0
    bench.series.put(POINT, *zip(time.tolist(), value.tolist(), strict=True))


def test_of_a_quiet_site_every_figure_is_nothing(bench: Any) -> None:
    found = bench.json(QUALITY)
    assert (found["site"]["annunciated"], found["site"]["bad_actors"], found["roles"]) == (0, [], {})
    assert found["site"]["start"] == iso(bench.now - 30 * DAY)


def test_an_alarm_counts_for_the_site_and_for_the_role_that_is_told_at_once(bench: Any) -> None:
    told = RULES.replace(
        "    response: {en: Move the food",
        "    escalate: {to: [manager, maintenance], after: [0min, 15min]}\n    response: {en: Move the food",
    )
    bench.console.apply_rules("school", [("rules.yaml", told)], "setup", bench.now)
    bench.raise_alarm()
    bench.raise_alarm("boiler-fault", "boiler-1/status", 2.0, Priority.MEDIUM)
    found = bench.json(QUALITY, params={"days": 1})
    assert found["site"]["annunciated"] == 2
    assert {role: figures["annunciated"] for role, figures in found["roles"].items()} == {"manager": 1}
    assert found["site"]["priorities"] == {"low": 0.0, "medium": 0.5, "high": 0.5, "urgent": 0.0}
    assert next(one for one in found["site"]["bad_actors"] if one["rule"] == "cold-high") == {
        "rule": "cold-high", "point": POINT, "count": 1, "share": 0.5, "active_ms": 25 * MINUTE, "chattering": 0,
        "fleeting": 0, "lapsed": 0, "nuisance": 0, "suggestion": None,
    }  # fmt: skip


def test_what_was_raised_before_the_span_is_known_to_be_stale(bench: Any) -> None:
    bench.raise_alarm(ago=3 * DAY)
    found = bench.json(QUALITY, params={"days": 1})["site"]
    assert (found["annunciated"], [one["point"] for one in found["stale"]]) == (0, [POINT])


def test_for_the_worst_alarms_a_change_is_tried(bench: Any) -> None:
    warm(bench, (100, 137), (300, 337), (500, 700))
    for minute in (130, 330):
        for kind, at in ((EventKind.RAISE, minute), (EventKind.CLEAR, minute + 8)):
            alarm_of(bench, kind, bench.now - 24 * HOUR + at * MINUTE)
    found = bench.json(QUALITY, params={"days": 1, "suggest": 3})["site"]["bad_actors"]
    assert [(one["count"], one["lapsed"]) for one in found] == [(2, 2)]
    assert found[0]["suggestion"] == (
        "on_delay 45min: removes 2 nuisance alarms, hides 0 real excursions, tells of 1 later"
    )


def test_a_change_is_tried_and_not_saved(bench: Any) -> None:
    warm(bench, (100, 137), (300, 337), (500, 700))
    longer = RULES.replace("on_delay: 30min", "on_delay: 45min")
    found = post(bench, TRY, json=documents(longer)).json()
    assert found["effect"]["sentence"] == "removes 2 nuisance alarms, hides 0 real excursions, tells of 1 later"
    assert (found["effect"]["nuisance_removed"], found["effect"]["kept"], found["effect"]["later"]) == (2, 1, 1)
    assert [one["kind"] for one in found["effect"]["lost"]] == ["nuisance", "nuisance"]
    assert found["effect"]["rules"] == [
        {"rule": "cold-high", "alarms_before": 3, "alarms_after": 1, "minutes_before": 187, "minutes_after": 156}
    ]
    assert (found["loosened"], found["findings"], found["fits"]) == ([], [], True)
    assert bench.console.rules_revision("school").documents[0][1] == RULES


def test_what_people_marked_is_no_real_excursion_in_a_trial(bench: Any) -> None:
    warm(bench, (100, 160))
    longer = documents(RULES.replace("on_delay: 30min", "on_delay: 3h"))
    assert post(bench, TRY, json=longer).json()["effect"]["real_hidden"] == 1
    began = bench.now - 24 * HOUR + 100 * MINUTE
    alarm_of(bench, EventKind.RAISE, began + 30 * MINUTE)
    alarm_of(bench, EventKind.CLEAR, began + 61 * MINUTE)
    alarm_of(bench, EventKind.ACKNOWLEDGE, began + 90 * MINUTE, nuisance=Nuisance.CLEANING, by="Li")
    assert post(bench, TRY, json=longer).json()["effect"]["sentence"].startswith("removes 1 nuisance alarm, hides 0")
    found = bench.json(QUALITY, params={"days": 2})["site"]
    assert (found["nuisance"], found["bad_actors"][0]["nuisance"]) == ({"cleaning": 1}, 1)


def test_a_long_log_is_read_in_pages_and_bounded(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for minute in range(0, 50, 10):
        alarm_of(bench, EventKind.RAISE, bench.now - HOUR + minute * MINUTE)
        alarm_of(bench, EventKind.CLEAR, bench.now - HOUR + (minute + 5) * MINUTE)
    monkeypatch.setattr(rule_desk, "_LOG_PAGE", 3)
    assert bench.json(QUALITY)["site"]["annunciated"] == 5
    monkeypatch.setattr(rule_desk, "MOST_LOG", 9)
    refused = bench.get(QUALITY)
    assert (refused.status_code, refused.json()["remedy"]) == (422, "ask for a shorter one")


def test_a_trial_over_more_than_400_days_is_refused(bench: Any) -> None:
    with pytest.raises(CaretakerError, match="at most 400 days"):
        bench.app.state.desk.try_rules("school", [("rules.yaml", RULES)], 0, 400 * DAY + 1)


def test_a_trial_says_which_legal_limit_it_would_loosen(bench: Any) -> None:
    bench.console.apply_rules("school", [("rules.yaml", LEGAL)], "setup", bench.now)
    found = post(bench, TRY, json=documents(LEGAL.replace("above: 8.0", "above: 10.0"))).json()
    assert found["loosened"] == [{"rule": "cold-high", "what": "the limit above 8 becomes 10", "document": "The book"}]


def test_a_legal_limit_is_not_loosened_by_saving(bench: Any) -> None:
    bench.console.apply_rules("school", [("rules.yaml", LEGAL)], "setup", bench.now)
    loose = {**documents(LEGAL.replace("above: 8.0", "above: 10.0")), "by": "Li", "accept_hidden": 99}
    answer = post(bench, SAVE, json=loose)
    assert (answer.status_code, answer.json()["type"].endswith(Kind.LEGAL_LIMIT)) == (409, True)
    assert "the limit above 8 becomes 10 (The book)" in answer.json()["detail"]
    assert bench.console.rules_revision("school").documents[0][1] == LEGAL


def test_a_stricter_limit_is_saved_and_in_force(bench: Any) -> None:
    bench.console.apply_rules("school", [("rules.yaml", LEGAL)], "setup", bench.now)
    before = bench.console.rules_revision("school").number
    answer = post(bench, SAVE, json={**documents(LEGAL.replace("above: 8.0", "above: 6.0")), "by": "Li"})
    assert (answer.status_code, answer.json()) == (200, {"site": "school", "revision": before + 1})
    assert bench.console.rules_revision("school").applied_by == "Li"


def test_hidden_real_excursions_must_be_seen_and_accepted(bench: Any) -> None:
    warm(bench, (100, 160))
    longer = {**documents(RULES.replace("on_delay: 30min", "on_delay: 3h")), "by": "Li"}
    refused = post(bench, SAVE, json=longer)
    assert refused.status_code == 409
    assert "hides 1 real excursion" in refused.json()["detail"]
    assert "accept_hidden: 1" in refused.json()["remedy"]
    assert bench.console.rules_revision("school").documents[0][1] == RULES
    assert post(bench, SAVE, json={**longer, "accept_hidden": 1}).status_code == 200


@pytest.mark.parametrize("address", [TRY, SAVE])
def test_a_bad_rule_file_is_refused_with_its_line(bench: Any, address: str) -> None:
    answer = post(bench, address, json={**documents("rules:\n  - {id: x, condition: {above: 8}}\n"), "by": "Li"})
    assert answer.status_code == 422
    assert "rules.yaml:2" in answer.json()["detail"]
    assert answer.json()["remedy"]


def test_rules_that_do_not_fit_the_site_are_shown_and_not_saved(bench: Any) -> None:
    odd = RULES.replace("condition: {state: fault}", "condition: {state: broken}")
    tried = post(bench, TRY, json=documents(odd)).json()
    assert not tried["fits"]
    assert "has no state 'broken'" in tried["findings"][0]
    saved = post(bench, SAVE, json={**documents(odd), "by": "Li"})
    assert (saved.status_code, "do not fit" in saved.json()["detail"]) == (422, True)


def test_an_unknown_site_and_empty_requests_are_refused(bench: Any) -> None:
    assert bench.get("/api/v1/sites/nowhere/alarm-quality").status_code == 404
    assert post(bench, "/api/v1/sites/nowhere/rules/try", json=documents(RULES)).status_code == 404
    assert post(bench, TRY, json={"documents": []}).status_code == 422
    assert post(bench, SAVE, json=documents(RULES)).status_code == 422
    assert bench.get(QUALITY, params={"days": 0}).status_code == 422


def test_a_site_that_nobody_described_has_no_report(empty: Any) -> None:
    with pytest.raises(NotFoundError):
        empty.app.state.desk.report("school", 0, DAY)


def test_an_alarm_whose_rule_is_gone_has_no_suggestion(bench: Any) -> None:
    warm(bench, (100, 137))
    desk = bench.app.state.desk
    start, end = bench.now - DAY, bench.now
    assert desk.suggestion("school", AlarmKey("cold-high", POINT), start, end) is not None
    assert desk.suggestion("school", AlarmKey("gone", POINT), start, end) is None


def test_marks_from_before_the_span_do_not_count(bench: Any) -> None:
    alarm_of(bench, EventKind.RAISE, bench.now - 2 * DAY)
    alarm_of(bench, EventKind.ACKNOWLEDGE, bench.now - HOUR, nuisance=Nuisance.LOADING, by="Li")
    desk = bench.app.state.desk
    assert desk.marks("school", bench.now - DAY, bench.now) == []
    assert [one.at for one in desk.marks("school", bench.now - 3 * DAY, bench.now)] == [bench.now - 2 * DAY]
