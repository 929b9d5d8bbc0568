"""The pages as a browser without scripts sees them."""

import re
from typing import Any

import pytest

from api.command_pages import NAME_COOKIE, local
from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.readings import Quality
from domain.times import MINUTE

FORM = "/alarms/cold-high/fridge-1/temperature/acknowledge"
SECOND_SITE = "site: {id: annex, title: {en: Annex, zh: 分校}}\nareas: []\nassets: []\n"


def card(page: str, asset: str) -> str:
    found = re.search(rf'<article class="card[^>]*data-key="{asset}".*?</article>', page, re.S)
    assert found, f"no card of {asset}"
    return found[0]


def test_before_any_site_the_page_says_which_command_to_run(empty: Any) -> None:
    for path in ("/", "/alarms"):
        assert "caretaker site apply site.yaml" in empty.page(path)
    assert "还没有校区" in empty.page("/", "zh-CN")
    assert empty.get("/assets/fridge-1", headers={"accept": "text/html"}).status_code == 404


def test_the_board_shows_every_asset_under_its_area(bench: Any) -> None:
    bench.all_measured()
    page = bench.page("/")
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == ["Open alarms", "Kitchen", "Plant room"]
    fridge = card(page, "fridge-1")
    assert "standing-normal" in fridge
    assert "Normal" in fridge
    assert '<span class="number">4.2</span><span class="unit">°C</span>' in fridge
    assert "12 s ago" in fridge
    assert "Closed" in fridge
    assert "No rule" in card(page, "meter-1")
    assert "5.40" in card(page, "meter-1")


def test_the_board_in_chinese(bench: Any) -> None:
    bench.all_measured()
    page = bench.page("/", "zh-CN,zh;q=0.9")
    assert '<html lang="zh-CN">' in page
    assert "1号冷藏柜" in card(page, "fridge-1")
    assert "正常" in card(page, "fridge-1")
    assert "12 秒前" in card(page, "fridge-1")


def test_an_old_value_is_shown_as_unknown_and_never_as_normal(bench: Any) -> None:
    bench.all_measured()
    bench.clock[0] += 3 * MINUTE
    fridge = card(bench.page("/"), "fridge-1")
    assert "standing-unknown" in fridge
    assert "standing-normal" not in fridge
    assert "lacking" in fridge
    assert "too old" in fridge


def test_a_sensor_that_cannot_measure_shows_its_raw_text(bench: Any) -> None:
    bench.all_measured()
    bench.measured("fridge-1/temperature", 85.0, quality=Quality.BAD, text="85 <b>")
    fridge = card(bench.page("/"), "fridge-1")
    assert "Sensor fault" in fridge
    assert "85 &lt;b&gt;" in fridge


def test_an_open_alarm_stands_on_top_with_value_limit_time_and_what_to_do(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm(value=9.4)
    bench.measured("fridge-1/temperature", 10.1)
    page = bench.page("/")
    alarm = page[page.index('class="alarm active') : page.index("</article>")]
    assert "Too warm" in alarm
    assert "Fridge 1" in alarm
    assert "9.4\N{NO-BREAK SPACE}°C &gt; 8.0\N{NO-BREAK SPACE}°C" in alarm
    assert "now 10.1\N{NO-BREAK SPACE}°C" in alarm
    assert "since 14:05" in alarm
    assert "25 min ago" in alarm
    assert "Move the food" in alarm
    assert f'action="{FORM}"' in alarm
    assert page.index("alarm active") < page.index("Kitchen")
    assert "<title>(1) School" in page
    assert "Alarm · High" in card(page, "fridge-1")


def test_the_value_of_now_is_left_out_where_it_is_not_known(bench: Any) -> None:
    bench.raise_alarm(value=9.4)
    assert "alarm-now" not in bench.page("/")


def test_a_board_without_rules_says_that_nothing_is_judged(bench: Any) -> None:
    bench.console.rules.clear()
    assert "nothing is judged" in bench.page("/")


def test_a_site_that_is_being_commissioned_says_so(bench: Any) -> None:
    bench.console.commission("school", None, "setup", bench.now)
    assert "being commissioned" in bench.page("/")


def test_no_open_alarms_is_not_said_to_be_all_right_while_something_is_unknown(bench: Any) -> None:
    assert "Not every asset is known to be in order" in bench.page("/")
    bench.all_measured()
    assert "Not every asset" not in bench.page("/")


def test_with_two_sites_the_board_can_be_switched(bench: Any) -> None:
    assert 'class="sites"' not in bench.page("/")
    bench.console.apply_site("annex", [("annex.yaml", SECOND_SITE)], "setup", bench.now)
    page = bench.page("/")
    assert "<h1>Annex</h1>" in page
    assert '<a href="/?site=school"' in page
    school = bench.page("/?site=school")
    assert "<h1>School</h1>" in school
    assert 'href="/assets/fridge-1?site=school"' in school
    assert 'data-events="/api/v1/sites/school/events"' in school
    assert "no site &#39;x&#39;" in bench.page("/?site=x", status=404)


def test_a_page_of_an_asset_shows_its_points_charts_and_log(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    page = bench.page("/assets/fridge-1")
    assert "<h1>Fridge 1</h1>" in page
    assert 'data-chart="/charts/fridge-1/temperature?site=school&amp;range=24h&amp;lang=en"' in page
    assert 'data-chart="/charts/fridge-1/door' in page
    assert "<noscript><img" in page
    assert "Raised" in page
    assert "14:05" in page
    assert f'action="{FORM}"' in page


@pytest.mark.parametrize(("asked", "shown"), [("3h", "3h"), ("7d", "7d"), ("1y", "24h"), ("", "24h")])
def test_the_range_of_the_charts_can_be_chosen(bench: Any, asked: str, shown: str) -> None:
    assert f"range={shown}&amp;lang=" in bench.page(f"/assets/fridge-1?range={asked}")


def test_an_asset_that_was_never_in_alarm_says_so(bench: Any) -> None:
    assert "No alarm of this asset was ever raised." in bench.page("/assets/boiler-1")


def test_the_list_of_alarms_is_filtered_and_paged(bench: Any) -> None:
    for number in range(30):
        bench.raise_alarm("cold-high", f"fridge-{number}/temperature")
    bench.raise_alarm("boiler-fault", "boiler-1/status", 2.0, Priority.MEDIUM)
    first = bench.page("/alarms")
    assert "Alarms found: 31" in first
    assert 'rel="next"' in first
    assert 'rel="prev"' in bench.page("/alarms?page=2")
    assert "Alarms found: 1<" in bench.page("/alarms?priority=medium")
    assert "Alarms found: 1<" in bench.page("/alarms?asset=boiler-1")
    assert "No alarm matches." in bench.page("/alarms?state=normal")
    assert "Alarms found: 31" in bench.page("/alarms?state=all")
    assert "Alarms found: 31" in bench.page("/alarms?state=unacknowledged")


def test_the_log_goes_back_page_by_page(bench: Any) -> None:
    for number in range(60):
        bench.raise_alarm("cold-high", f"fridge-{number}/temperature")
    page = bench.page("/alarms")
    assert 'data-key="t60"' in page
    assert 'data-key="t10"' not in page
    assert "before=11" in page
    assert 'data-key="t10"' in bench.page("/alarms?before=11")


def test_an_empty_log_says_so(bench: Any) -> None:
    assert "Nothing happened yet." in bench.page("/alarms")


def acknowledge(bench: Any, **more: Any) -> Any:
    form = {"site": "school", "by": "Wang Fang 王芳", "note": "door", "version": "1", "back": "/#alarms", **more}
    headers = {"accept": "text/html", "origin": "http://127.0.0.1"}
    return bench.request("POST", FORM, data=form, headers=headers)


def test_the_form_acknowledges_remembers_the_name_and_leads_back(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    answer = acknowledge(bench)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/#alarms"
    page = bench.get("/", headers={"cookie": f"{NAME_COOKIE}={answer.cookies[NAME_COOKIE]}"}).text
    assert "Acknowledged by Wang Fang 王芳, 14:30" in page
    assert FORM not in page
    bench.raise_alarm("cold-low")
    page = bench.get("/", headers={"cookie": f"{NAME_COOKIE}={answer.cookies[NAME_COOKIE]}"}).text
    assert 'value="Wang Fang 王芳"' in page


def test_a_cookie_that_was_tampered_with_is_ignored(bench: Any) -> None:
    bench.raise_alarm()
    for raw in ("zz", "ff", "<script>"):
        assert (
            'name="by" required maxlength="80" autocomplete="name" value=""'
            in bench.get("/", headers={"cookie": f"{NAME_COOKIE}={raw}"}).text
        )


def test_a_form_that_comes_too_late_is_refused_in_words(bench: Any) -> None:
    bench.raise_alarm()
    bench.clear_alarm()
    answer = acknowledge(bench)
    assert answer.status_code == 409
    assert "Somebody else answered meanwhile" in answer.text
    assert acknowledge(bench, version="2").status_code == 303
    assert acknowledge(bench, version="3").status_code == 409


@pytest.mark.parametrize("fault", [{"by": "  "}, {"by": ""}, {"by": "x" * 81}, {"version": "x"}, {"note": "n" * 501}])
def test_a_form_without_a_usable_name_is_refused_in_words(bench: Any, fault: dict[str, str]) -> None:
    bench.raise_alarm()
    answer = acknowledge(bench, **fault)
    assert answer.status_code == 422
    assert "<h1>That cannot be used</h1>" in answer.text


def test_a_form_of_another_site_changes_nothing(bench: Any) -> None:
    bench.raise_alarm()
    answer = bench.request("POST", FORM, data={"site": "school", "by": "x", "version": "1"},
                           headers={"origin": "http://evil.example"})  # fmt: skip
    assert answer.status_code == 403
    assert bench.console.alarm("school", AlarmKey("cold-high", "fridge-1/temperature")).version == 1


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        ("/alarms?page=2", "/alarms?page=2"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\nb", "/"),
        ("", "/"),
    ],
)
def test_the_way_back_never_leaves_the_server(back: str, expected: str) -> None:
    assert local(back) == expected


def test_an_alarm_that_was_shelved_shows_by_whom_why_and_until_when(bench: Any) -> None:
    bench.all_measured()
    bench.raise_alarm()
    key = AlarmKey("cold-high", "fridge-1/temperature")
    shelve = AlarmEvent(EventKind.SHELVE, key, Reason.BY_PERSON, bench.now, bench.now, by="Li Lei",
                        note="defrosting", until=bench.now + 30 * MINUTE)  # fmt: skip
    bench.console.happen("school", shelve)
    page = bench.page("/")
    assert "Shelved · Li Lei · until 15:00 · defrosting" in page
    assert "Set aside" in card(page, "fridge-1")


def test_the_language_is_switched_by_a_link_and_remembered(bench: Any) -> None:
    answer = bench.get("/?lang=zh")
    assert '<html lang="zh-CN">' in answer.text
    assert answer.cookies["caretaker_language"] == "zh"
    assert '<html lang="zh-CN">' in bench.get("/", headers={"cookie": "caretaker_language=zh"}).text
    assert 'href="?range=7d&amp;lang=zh"' in bench.page("/assets/fridge-1?range=7d")


PATHS = (
    "/", "/assets/fridge-1", "/alarms", "/alarms?state=all", "/?lang=zh", "/alarms/cold-high/fridge-1/temperature"
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_page_has_anything_inline_that_the_policy_would_refuse(bench: Any, path: str) -> None:
    bench.all_measured()
    bench.raise_alarm()
    page = bench.page(path)
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_sound_for_readers_by_ear_and_keyboard(bench: Any, path: str) -> None:
    bench.all_measured()
    bench.raise_alarm()
    page = bench.page(path)
    assert page.count("<h1>") == 1
    assert '<main id="main"' in page
    assert 'aria-live="polite"' in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert sorted(ids) == sorted(set(ids))
    assert all('aria-hidden="true"' in icon for icon in re.findall(r"<svg[^>]*>", page))
    for field in re.findall(r"<(?:input|select|textarea)(?![^>]*hidden)[^>]*>", page):
        before = page[: page.index(field)]
        assert before.rfind("<label>") > before.rfind("</label>")


def test_every_icon_that_a_page_uses_is_in_the_sprite(bench: Any) -> None:
    bench.raise_alarm()
    sprite = bench.get("/static/icons.svg").text
    for path in PATHS:
        for name in re.findall(r"icons\.svg\?v=\w+#([\w-]+)", bench.page(path)):
            assert f'id="{name}"' in sprite


def test_static_files_are_kept_by_browsers_under_their_version(bench: Any) -> None:
    page = bench.page("/")
    for address in re.findall(r'/static/[^"#]+', page):
        answer = bench.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        again = bench.get(address, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert bench.get("/static/app.css").headers["cache-control"] == "no-cache"
    assert bench.get("/favicon.ico").headers["content-type"] == "image/svg+xml"
    assert bench.get("/static/../pages.py").status_code == 404


def test_the_chart_library_is_served_from_here_compressed(bench: Any) -> None:
    packed = bench.get("/static/vega.js?v=1", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-type"].startswith("text/javascript")
    plain = bench.get("/static/vega.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == packed.text
    assert "vegaEmbed" in plain.text
    assert bench.get("/static/vega.js", headers={"if-none-match": plain.headers["etag"]}).status_code == 304


def test_what_devices_and_people_wrote_is_escaped(bench: Any) -> None:
    bench.raise_alarm()
    acknowledge(bench, by="<script>x</script>", note="<img src=x>")
    for path in ("/", "/assets/fridge-1", "/alarms"):
        page = bench.page(path)
        assert "<script>x" not in page
        assert "<img src=x" not in page
