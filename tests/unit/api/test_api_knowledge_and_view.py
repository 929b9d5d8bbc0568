"""What is known of a site, and how a page words it."""

from typing import Any

import pytest

from api.i18n import language
from api.knowledge import Knowledge
from api.view import View
from domain.alarms import Alarm, AlarmKey, AlarmState, Priority, Reason
from domain.catalogue import Label
from domain.errors import NotFoundError
from domain.records import Revision
from domain.times import DAY, MINUTE
from rules.loading import load_revision
from rules.model import RuleSet

KEY = AlarmKey("cold-high", "fridge-1/temperature")
NBSP = "\N{NO-BREAK SPACE}"


def view(bench: Any, code: str = "en", sites: int = 1) -> View:
    known = bench.app.state.operations.site("school")
    return View(language(code), known, bench.now, "/", (known,) * sites)


def alarm(**more: Any) -> Alarm:
    usual = {"state": AlarmState.UNACKNOWLEDGED, "priority": Priority.HIGH, "level": 0, "value": 9.4,
             "reason": Reason.ABOVE_LIMIT}  # fmt: skip
    return Alarm("school", more.pop("key", KEY), **{**usual, **more})


def test_a_revision_is_parsed_once(bench: Any) -> None:
    parsed: list[int] = []

    def load(revision: Revision) -> RuleSet:
        parsed.append(revision.number)
        return load_revision(revision)

    knowledge = Knowledge(bench.console, load)
    first = knowledge.of("school")
    assert knowledge.of("school") is first
    bench.console.apply_rules("school", [("rules.yaml", "rules: []\n")], "setup", bench.now)
    assert knowledge.of("school").rules.rules == {}
    assert parsed == [1, 2]


def test_a_site_without_rules_is_known_all_the_same(bench: Any) -> None:
    bench.console.rules.clear()
    known = Knowledge(bench.console).of("school")
    assert known.rules_revision == 0
    assert list(known.rules_of("fridge-1/temperature")) == []


def test_what_is_kept_stays_bounded(bench: Any) -> None:
    knowledge = Knowledge(bench.console)
    text = bench.console.revisions["school"].documents[0][1]
    for number in range(40):
        name = f"site-{number}"
        bench.console.apply_site(name, [("site.yaml", text.replace("id: school", f"id: {name}"))], "setup", bench.now)
        assert knowledge.of(name).catalogue.site == name
    assert len(knowledge._known) <= 32


def test_an_unknown_asset_point_or_site_is_not_found(bench: Any) -> None:
    known = Knowledge(bench.console).of("school")
    with pytest.raises(NotFoundError, match="fridge-9"):
        known.asset("fridge-9")
    with pytest.raises(NotFoundError, match="humidity"):
        known.point("fridge-1/humidity")
    with pytest.raises(NotFoundError, match="caretaker site apply"):
        Knowledge(bench.console).of("nowhere")


def test_the_limit_is_that_of_the_level(bench: Any) -> None:
    known = Knowledge(bench.console).of("school")
    assert known.limit("cold-high", 0).above == 8.0
    assert known.limit("cold-high", 1).above == 12.0
    assert known.limit("cold-high", None).above == 8.0
    assert known.limit("cold-high", 2) is None
    assert known.limit("cold-high", -1) is None
    assert known.limit("boiler-fault", 0) is None
    assert known.limit("gone", 0) is None


def test_a_rule_without_title_is_called_by_its_id(bench: Any) -> None:
    known = Knowledge(bench.console).of("school")
    assert known.title("cold-low") == Label("cold-low")
    assert known.title("gone") == Label("gone")


def test_an_alarm_is_told_as_value_against_limit(bench: Any) -> None:
    page = view(bench)
    assert page.compared(alarm()) == f"9.4{NBSP}°C > 8.0{NBSP}°C"
    assert page.compared(alarm(level=1, value=13.0)) == f"13.0{NBSP}°C > 12.0{NBSP}°C"
    low = AlarmKey("cold-low", "fridge-1/temperature")
    assert page.compared(alarm(key=low, value=-1.0)) == f"\N{MINUS SIGN}1.0{NBSP}°C < 0.0{NBSP}°C"


def test_an_alarm_that_is_over_or_has_no_limit_tells_its_value_alone(bench: Any) -> None:
    page = view(bench)
    assert page.compared(alarm(reason=Reason.WITHIN_LIMIT, value=6.0)) == f"6.0{NBSP}°C"
    assert page.compared(alarm(key=AlarmKey("boiler-fault", "boiler-1/status"), value=2.0)) == "Fault"
    assert page.compared(alarm(key=AlarmKey("gone", "gone/point"), value=2.5)) == "2.5"


def test_an_alarm_without_value_tells_its_reason(bench: Any) -> None:
    assert view(bench).compared(alarm(value=None, reason=Reason.NO_DATA)) == "no readings arrive"
    assert view(bench, "zh").compared(alarm(value=None, reason=Reason.NO_DATA)) == "收不到读数"


def test_names_fall_back_to_ids_when_the_catalogue_no_longer_knows_them(bench: Any) -> None:
    page = view(bench, "zh")
    assert page.asset_name("fridge-1") == "1号冷藏柜"
    assert page.area_name("fridge-1") == "厨房"
    assert page.asset_name("gone") == "gone"
    assert page.area_name("gone") == ""
    assert page.point("gone/temperature") is None


def test_links_name_the_site_only_where_there_are_several(bench: Any) -> None:
    assert view(bench).link("/alarms", state="open", asset="") == "/alarms?state=open"
    assert view(bench).link("/") == "/"
    assert view(bench, sites=2).link("/alarms") == "/alarms?site=school"


def test_times_are_told_in_the_zone_of_the_site(bench: Any) -> None:
    assert view(bench).clock(bench.now) == "14:30"
    assert view(bench).age(bench.now - MINUTE) == "1 min ago"
    assert view(bench).lasting(bench.now - 2 * DAY) == "2 d"
    assert view(bench).lasting(bench.now, bench.now - MINUTE) == "0 s"
    assert View(language("en"), None, bench.now, "/").timezone == "UTC"


@pytest.mark.parametrize(
    ("state", "owed"),
    [
        (AlarmState.NORMAL, False),
        (AlarmState.UNACKNOWLEDGED, True),
        (AlarmState.ACKNOWLEDGED, False),
        (AlarmState.RETURNED_UNACKNOWLEDGED, True),
        (AlarmState.LATCHED_UNACKNOWLEDGED, True),
        (AlarmState.LATCHED_ACKNOWLEDGED, False),
    ],
)
def test_the_button_stands_only_where_an_answer_is_owed(bench: Any, state: AlarmState, owed: bool) -> None:
    assert view(bench).can_acknowledge(alarm(state=state)) is owed
