"""What a kitchen does on the page: seen it, what we did, and everything else that one alarm or asset needs."""

import re
from typing import Any

import pytest

from api.command_pages import NAME_COOKIE
from api.view import SHELF
from domain.alarms import AlarmEvent, AlarmKey, EventKind, FoodFate, Nuisance, OverlayKind, Reason, Remedy
from domain.readings import Quality
from domain.times import DAY, HOUR, MINUTE, format_duration

KEY = AlarmKey("cold-high", "fridge-1/temperature")
PAGE = "/alarms/cold-high/fridge-1/temperature"
FRIDGE = "/assets/fridge-1"


def send(bench: Any, path: str, status: int = 303, **form: str) -> Any:
    headers = {"accept": "text/html", "origin": "http://127.0.0.1"}
    data = {"site": "school", "by": "王芳", "back": PAGE, **form}
    answer = bench.request("POST", path, data=data, headers=headers)
    assert answer.status_code == status, answer.text
    return answer


def alarm(bench: Any) -> Any:
    return bench.console.alarm("school", KEY)


def forms(page: str) -> list[str]:
    """The commands for which the page has a form."""
    return re.findall(r'<form method="post" action="[^"]*/([\w-]+)"', page)


def test_the_main_path_is_seen_it_and_then_what_we_did(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    page = bench.page(PAGE)
    assert "<h1>Too warm</h1>" in page
    assert "Have you seen it?" in page
    assert "What did you do?" not in page
    answer = send(bench, f"{PAGE}/acknowledge", version="1", note="", nuisance="")
    assert answer.headers["location"] == PAGE
    assert bytes.fromhex(answer.cookies[NAME_COOKIE]).decode() == "王芳"
    assert 'href="/alarms/cold-high/fridge-1/temperature#steps"' in bench.page("/")
    page = bench.page(PAGE)
    assert "Have you seen it?" not in page
    assert "What did you do?" in page
    send(bench, f"{PAGE}/confirm", remedy="called", food="moved", note="to fridge 2")
    page = bench.page(PAGE)
    assert "What was done is written down: 王芳, 14:30" in page
    assert "王芳: to fridge 2" in page
    assert "Called for repair" in page[page.index("What happened") :]
    assert "Moved elsewhere" in page[page.index("What happened") :]
    assert "Write down something else that was done" in page
    send(bench, f"{PAGE}/confirm", remedy="repaired", food="kept", note="")
    assert [one.event for one in bench.console.log] == ["raise", "acknowledge", "confirm", "confirm"]


@pytest.mark.parametrize("word", list(Nuisance))
def test_one_tap_says_that_it_was_nothing_and_why(bench: Any, word: Nuisance) -> None:
    bench.raise_alarm()
    for page in (bench.page("/"), bench.page(PAGE)):
        assert f'<button class="button" type="submit" name="nuisance" value="{word}">' in page
    send(bench, f"{PAGE}/acknowledge", nuisance=word)
    assert bench.console.log[-1].nuisance is word
    assert "It was nothing: " in bench.page(PAGE)
    assert "非异常：" in bench.page(PAGE, "zh-CN")


def test_every_word_of_the_closed_sets_is_a_choice(bench: Any) -> None:
    bench.raise_alarm()
    send(bench, f"{PAGE}/acknowledge")
    page = bench.page(PAGE)
    assert re.findall(r'name="remedy" value="(\w+)"', page) == list(Remedy)
    assert re.findall(r'name="food" value="(\w+)"', page) == list(FoodFate)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("confirm", {"remedy": "repaired"}),
        ("confirm", {"remedy": "repaired", "food": "eaten"}),
        ("acknowledge", {"nuisance": "noise"}),
        ("acknowledge", {"by": " "}),
        ("shelve", {"note": "repair"}),
        ("shelve", {"note": "repair", "lasting": "soon"}),
        ("shelve", {"note": "repair", "lasting": "0s"}),
        ("shelve", {"note": " ", "lasting": "1h"}),
        ("shelve", {"note": "repair", "lasting": "25h"}),
        ("comment", {"note": ""}),
        ("assign", {"to": "x" * 81}),
    ],
)
def test_a_form_that_lacks_something_is_refused_in_words(bench: Any, path: str, fault: dict[str, str]) -> None:
    bench.raise_alarm()
    answer = send(bench, f"{PAGE}/{path}", 422, **fault)
    assert "<h1>That cannot be used</h1>" in answer.text
    assert alarm(bench).version == 1


@pytest.mark.parametrize("path", ["acknowledge", "silence", "shelve", "reset"])
def test_a_form_of_an_older_alarm_is_refused_in_words(bench: Any, path: str) -> None:
    bench.raise_alarm()
    bench.clear_alarm()
    answer = send(
        bench, f"{PAGE}/{path}", 409, version="1", note="repair", **({"lasting": "1h"} if path == "shelve" else {})
    )
    assert "Somebody else answered meanwhile" in answer.text


def test_messages_are_stopped_and_the_page_says_by_whom(bench: Any) -> None:
    bench.raise_alarm()
    assert "silence" in forms(bench.page(PAGE))
    send(bench, f"{PAGE}/silence", version="1")
    page = bench.page(PAGE)
    assert "Messages stopped by 王芳, 14:30" in page
    assert "silence" not in forms(page)
    assert "acknowledge" in forms(page)


def test_the_shelf_has_lengths_up_to_what_the_rule_allows(bench: Any) -> None:
    bench.raise_alarm()
    every = [format_duration(length) for length in SHELF]
    # On the shelf, and for what something else explains.
    assert re.findall(r'name="lasting" value="(\w+)"', bench.page(PAGE)) == every * 2
    rules = "rules:\n  - {id: cold-high, applies_to: {asset_type: [refrigerator], metric: temperature}, " \
            "condition: {above: 8.0}, priority: high, basis: {kind: legal, document: a law}}\n"  # fmt: skip
    bench.console.apply_rules("school", [("rules.yaml", rules)], "setup", bench.now)
    assert re.findall(r'name="lasting" value="(\w+)"', bench.page(PAGE)) == ["30min", "1h", "2h"] * 2


def test_a_shelved_alarm_stands_apart_and_its_fridge_is_grey_even_when_all_is_well(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    bench.clear_alarm()
    send(bench, f"{PAGE}/acknowledge")
    assert "standing-normal" in _card(bench.page("/"))
    send(bench, f"{PAGE}/shelve", note="the door is being repaired", lasting="1h")
    page = bench.page("/")
    assert "standing-set-aside" in _card(page)
    assert "No open alarms." in page
    aside = page[page.index('id="aside"') :]
    assert "Shelved · 王芳 · until 15:30 · the door is being repaired" in aside
    listed = bench.page("/alarms?state=shelved")
    assert "Alarms found: 1<" in listed
    assert '<option value="shelved" selected>' in listed
    assert "Alarms found: 0<" in bench.page("/alarms?state=suppressed")
    assert "unshelve" in forms(bench.page(PAGE))
    send(bench, f"{PAGE}/unshelve")
    assert "standing-normal" in _card(bench.page("/"))
    assert alarm(bench).overlays == ()


def test_what_something_else_explains_is_suppressed_by_a_person_with_an_end(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    page = bench.page(PAGE)
    assert "Something else explains it" in page
    assert forms(page).count("suppress") == 1
    send(bench, f"{PAGE}/suppress", note="the board is being rewired", lasting="1h", version="1")
    (laid,) = alarm(bench).overlays
    assert (laid.kind, laid.by, laid.why) == (OverlayKind.SUPPRESSED, "王芳", "the board is being rewired")
    assert laid.until == bench.now + HOUR
    board = bench.page("/")
    assert "Suppressed · 王芳 · until 15:30 · the board is being rewired" in board[board.index('id="aside"') :]
    assert "Alarms found: 1<" in bench.page("/alarms?state=suppressed")
    assert "Alarms found: 0<" in bench.page("/alarms?state=shelved")
    page = bench.page(PAGE)
    assert "unsuppress" in forms(page)
    assert "suppress" not in forms(page)
    assert bench.console.log[-1].event is EventKind.SUPPRESS
    send(bench, f"{PAGE}/unsuppress")
    assert alarm(bench).overlays == ()
    assert "由其他原因引起" in bench.page(PAGE, "zh")


def test_a_person_suppresses_for_no_longer_than_the_shelf_allows_and_says_why(bench: Any) -> None:
    bench.raise_alarm()
    for form in ({"note": "x", "lasting": "25h"}, {"note": " ", "lasting": "1h"}, {"note": "x", "lasting": "0s"}):
        send(bench, f"{PAGE}/suppress", 422, **form)
    send(bench, f"{PAGE}/suppress", 409, note="x", lasting="1h", version="9")
    assert alarm(bench).overlays == ()


def test_the_board_forgets_the_shelf_at_its_end_even_before_that_is_written_down(bench: Any) -> None:
    bench.raise_alarm()
    send(bench, f"{PAGE}/shelve", note="repair", lasting="30min")
    assert 'id="aside"' in bench.page("/")
    bench.clock[0] += 30 * MINUTE
    page = bench.page("/")
    assert 'id="aside"' not in page
    assert "No open alarms." not in page


def test_what_is_suppressed_names_its_cause_and_can_be_told_again(bench: Any) -> None:
    bench.raise_alarm()
    suppress = AlarmEvent(EventKind.SUPPRESS, KEY, Reason.BY_PERSON, bench.now, bench.now, by="incident:power-lost",
                          note="no power")  # fmt: skip
    bench.console.happen("school", suppress)
    page = bench.page(PAGE)
    assert "Suppressed · incident:power-lost · no power" in page
    assert "suppress" not in forms(page)
    send(bench, f"{PAGE}/unsuppress")
    assert alarm(bench).overlays == ()


def test_a_latch_is_released_on_the_page(bench: Any) -> None:
    bench.raise_alarm()
    clear = AlarmEvent(EventKind.CLEAR, KEY, Reason.WITHIN_LIMIT, bench.now, bench.now, value=6.0, latching=True)
    bench.console.happen("school", clear)
    assert "reset" not in forms(bench.page(PAGE))
    send(bench, f"{PAGE}/acknowledge")
    assert "Reset it" in bench.page("/")
    assert "reset" in forms(bench.page(PAGE))
    send(bench, f"{PAGE}/reset", version="3")
    assert alarm(bench).state == "normal"


def test_handing_over_and_comments_stand_on_the_page(bench: Any) -> None:
    bench.raise_alarm()
    send(bench, f"{PAGE}/assign", to=" 维修组 ")
    send(bench, f"{PAGE}/comment", note="the seal is <worn>")
    page = bench.page(PAGE)
    assert "In the hands of 维修组" in page
    assert "the seal is &lt;worn&gt;" in page
    assert "→ 维修组" in page
    send(bench, f"{PAGE}/assign", to="")
    assert "In the hands of" not in bench.page(PAGE)


def _card(page: str) -> str:
    found = re.search(r'<article class="card[^>]*data-key="fridge-1".*?</article>', page, re.S)
    assert found
    return found[0]


def test_a_fridge_out_of_service_is_grey_with_who_and_why(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    assert forms(bench.page(FRIDGE)) == ["acknowledge", "remove-from-service"]
    send(bench, f"{FRIDGE}/remove-from-service", note="summer holidays", lasting="")
    board = bench.page("/")
    assert "standing-out-of-service" in _card(board)
    assert "summer holidays · 王芳" in _card(board)
    assert "No open alarms." in board
    assert 'id="aside"' not in board  # the card says it
    page = bench.page(FRIDGE)
    assert "<strong>Out of service</strong> · 王芳 · summer holidays" in page
    assert "return-to-service" in forms(page)
    assert "remove-from-service" not in forms(page)
    assert "停用中" in _card(bench.page("/", "zh-CN"))
    send(bench, f"{FRIDGE}/return-to-service", note="")
    assert "standing-alarm" in _card(bench.page("/"))


def test_out_of_service_for_a_day_says_until_when(bench: Any) -> None:
    bench.measured("fridge-1/temperature", 85.0, quality=Quality.BAD, text="85")
    send(bench, f"{FRIDGE}/remove-from-service", note="cleaning", lasting="4h")
    assert bench.console.out_of_service("school")["fridge-1"].until == bench.now + 4 * HOUR
    assert "until 18:30" in _card(bench.page("/"))
    assert "until 18:30" in bench.page(FRIDGE)
    bench.clock[0] += DAY
    assert "standing-out-of-service" not in _card(bench.page("/"))


def test_the_page_of_an_alarm_that_never_was_or_has_no_site_is_not_found(bench: Any, empty: Any) -> None:
    assert "never raised" in bench.page("/alarms/cold-low/fridge-1/temperature", status=404)
    empty.console.revisions.clear()
    assert empty.get(PAGE, headers={"accept": "text/html"}).status_code == 404


def test_the_log_leads_to_each_alarm_and_says_when_time_ran_out(bench: Any) -> None:
    bench.raise_alarm()
    send(bench, f"{PAGE}/shelve", note="repair", lasting="30min")
    expired = AlarmEvent(EventKind.UNSHELVE, KEY, Reason.EXPIRED, bench.now, bench.now)
    bench.console.happen("school", expired)
    page = bench.page(FRIDGE)
    assert f'<a href="{PAGE}">Too warm</a>' in page
    assert "until 15:00" in page
    assert "time ran out" in page
