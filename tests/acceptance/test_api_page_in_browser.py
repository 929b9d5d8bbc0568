"""The pages in a real browser, over the real stores: what a cook on a phone sees, and that it changes by itself.

Every test fails on any message of the browser's console: a script error as well as a violation of the content policy.
"""

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from api.app import create_app
from api.server import Server, listen
from api.settings import ApiSettings
from domain.alarms import AlarmEvent, AlarmKey, EventKind, Priority, Reason
from domain.batch import batch_of
from domain.catalogue_file import load_catalogue
from domain.readings import Quality, Reading
from domain.records import Commit, Latest, ProcessRow
from domain.times import DAY, HOUR, MINUTE, SECOND
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.support import needs

ROOT = Path(__file__).parents[2]
ALARM = AlarmKey("cold-storage-high", "fridge-1/temperature")

pytestmark = [pytest.mark.acceptance]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class School:
    """The example school behind a real server."""

    console: OperationalStore
    series: SqliteSeriesStore
    epoch: int
    url: str = ""

    def measure(self, *names: str, value: float | None = None, ago: int = 2 * SECOND) -> None:
        """A reading of each named point (of every point without names)."""
        catalogue = load_catalogue((ROOT / "examples/school/site.yaml").read_text(encoding="utf-8"), "site.yaml")
        at, readings = now_ms() - ago, []
        for point in catalogue.points():
            if not names or point.name in names:
                usual = 1.0 if point.metric == "status" else 0.0 if point.metric == "door" else 4.2
                readings.append(Reading(point.name, at, usual if value is None else value))
        self.series.append(batch_of("school", at, readings, agent="canteen"))
        self.console.flush_latest("school", [Latest(r.point, r.time, r.value, Quality.GOOD, at) for r in readings])

    def happen(self, kind: EventKind, value: float, priority: Priority | None = None) -> None:
        """The engine's event, committed as ingest does."""
        at = now_ms()
        reason = Reason.ABOVE_LIMIT if kind is EventKind.RAISE else Reason.WITHIN_LIMIT
        event = AlarmEvent(kind, ALARM, reason, at, at, since=at, priority=priority, level=0, value=value)
        self.console.commit(Commit("school", "test", self.epoch, at, events=(event,)))

    def raise_alarm(self) -> None:
        self.measure("fridge-1/temperature", value=9.4)
        self.happen(EventKind.RAISE, 9.4, Priority.HIGH)

    def acknowledge(self, by: str) -> None:
        """Somebody answers on another screen."""
        at = now_ms()
        event = AlarmEvent(EventKind.ACKNOWLEDGE, ALARM, Reason.BY_PERSON, at, at, by=by)
        self.console.command("school", event)


@pytest.fixture
def school(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    console = OperationalStore(f"sqlite:///{tmp_path}/operational.db")
    series = SqliteSeriesStore(tmp_path / "series.db")
    now = now_ms()
    site = (ROOT / "examples/school/site.yaml").read_text(encoding="utf-8")
    packs = [ROOT / "rules/packs" / name for name in ("cn-canteen.yaml", "facility-basic.yaml")]
    console.apply_site("school", [("site.yaml", site)], "test", now)
    console.apply_rules("school", [(path.name, path.read_text(encoding="utf-8")) for path in packs], "test", now)
    console.commission("school", now - DAY, "test", now)
    console.beat(ProcessRow("ingest", 1, now, now + HOUR))
    epoch = console.acquire("school", "test", now, DAY)
    assert epoch is not None
    place = School(console, series, epoch)
    place.measure()
    settings = ApiSettings(cache_dir=tmp_path_factory.getbasetemp(), stream_poll=200)
    listener = listen("127.0.0.1", 0)
    place.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = Server(create_app(console, series, clock=now_ms, settings=settings), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
    thread.start()
    yield place
    server.stop()
    thread.join(20)
    listener.close()
    series.close()
    console.close()
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = needs("chromium", "chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=arguments)
        yield launched
        launched.close()


@dataclass
class Visitor:
    """A person with a screen of that width; `complaints` are the messages of the browser's console."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)

    def open(
        self, url: str, width: int = 1440, language: str = "en-GB", scripts: bool = True, theme: str = "light"
    ) -> Page:
        context = self.browser.new_context(
            viewport={"width": width, "height": 844},
            locale=language,
            java_script_enabled=scripts,
            color_scheme="dark" if theme == "dark" else "light",
        )
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.goto(url)
        return page


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    one = Visitor(browser)
    yield one
    for context in list(browser.contexts):
        context.close()
    assert one.complaints == []


def card(page: Page, asset: str) -> Locator:
    return page.locator(f"#asset-{asset}")


def stays(page: Page) -> None:
    """Mark the document, to see that it was never loaded again."""
    page.evaluate("document.documentElement.dataset.mark = 'same'")


def stayed(page: Page) -> bool:
    return page.evaluate("document.documentElement.dataset.mark") == "same"


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_values_and_alarms_appear_without_reloading(school: School, visitor: Visitor) -> None:
    page = visitor.open(school.url)
    expect(page.locator("#live")).to_contain_text("Live")
    expect(card(page, "fridge-1")).to_contain_text("Normal")
    stays(page)
    school.measure("fridge-1/temperature", value=7.7)
    expect(card(page, "fridge-1")).to_contain_text("7.7")
    school.raise_alarm()
    expect(page.locator("#alarms")).to_contain_text("Fridge 1 (dairy)")
    expect(card(page, "fridge-1")).to_contain_text("Alarm · High")
    expect(page.locator("#tally .standing-alarm")).to_contain_text("1")
    expect(page.locator("#announcer")).to_contain_text("Fridge 1 (dairy), High")
    expect(page).to_have_title("(1) School · Caretaker")
    school.happen(EventKind.CLEAR, 6.0)
    expect(card(page, "fridge-1")).to_contain_text("Unanswered")
    assert stayed(page)


def test_acknowledging_changes_the_alarm_and_remembers_the_name(school: School, visitor: Visitor) -> None:
    school.raise_alarm()
    page = visitor.open(school.url, width=390)
    page.get_by_text("Acknowledge", exact=True).click()
    page.get_by_label("Your name").fill("Wang Fang")
    page.get_by_label("Note").fill("Door was open; closed it")
    page.get_by_role("button", name="I have seen it").click()
    expect(page.locator("#alarms")).to_contain_text("Acknowledged by Wang Fang")
    expect(page.locator("#alarms form")).to_have_count(0)
    page.goto(f"{school.url}/assets/fridge-1")
    expect(page.locator("#log")).to_contain_text("Wang Fang: Door was open; closed it")
    alarm = school.console.alarm("school", ALARM)
    assert alarm is not None
    assert alarm.acknowledged_by == "Wang Fang"


def test_a_form_that_is_being_filled_in_survives_what_happens_around_it(school: School, visitor: Visitor) -> None:
    school.raise_alarm()
    page = visitor.open(school.url)
    page.get_by_text("Acknowledge", exact=True).click()
    page.get_by_label("Your name").fill("Li")
    school.measure("fridge-1/temperature", value=11.3)
    expect(page.locator("#alarms")).to_contain_text("now 11.3")
    school.happen(EventKind.CLEAR, 6.0)
    expect(page.locator("#alarms")).to_contain_text("Back to normal, unanswered")
    expect(page.get_by_label("Your name")).to_have_value("Li")
    page.get_by_role("button", name="I have seen it").click()
    expect(page.locator("#alarms")).to_contain_text("Acknowledged by Li")


def test_an_answer_given_elsewhere_is_seen_here(school: School, visitor: Visitor) -> None:
    school.raise_alarm()
    page = visitor.open(school.url)
    expect(page.locator("#alarms details")).to_have_count(1)
    stays(page)
    school.acknowledge("Li Lei")
    expect(page.locator("#alarms")).to_contain_text("Acknowledged by Li Lei")
    expect(page.locator("#alarms details")).to_have_count(0)
    assert stayed(page)


def test_a_value_that_grows_too_old_turns_grey_by_itself(school: School, visitor: Visitor) -> None:
    (document,) = school.console.site_revision("school").documents
    before, after = document[1].split("id: pump-1", 1)
    quick = before + "id: pump-1" + after.replace("interval: 60s", "interval: 2s", 1)
    school.console.apply_site("school", [(document[0], quick)], "test", now_ms())
    school.measure("pump-1/status", value=1.0, ago=0)
    page = visitor.open(school.url)
    expect(card(page, "pump-1")).to_contain_text("Normal")
    stays(page)
    expect(card(page, "pump-1")).to_contain_text("Unknown", timeout=15_000)
    expect(card(page, "pump-1").locator(".value.large.lacking")).to_have_count(1)
    assert stayed(page)


def test_ages_count_on(school: School, visitor: Visitor) -> None:
    page = visitor.open(school.url)
    expect(card(page, "fridge-1").locator(".age")).to_have_text("6 s ago", timeout=15_000)


def drawn_pixels(page: Page, metric: str) -> int:
    """How many pixels of the chart have a colour of their own."""
    return int(
        page.evaluate(
            """(id) => {
                const canvas = document.querySelector(`#point-${id} canvas`);
                const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
                let count = 0;
                for (let i = 3; i < data.length; i += 4) if (data[i] > 0) count += 1;
                return count;
            }""",
            metric,
        )
    )


@pytest.mark.parametrize("span", ["3h", "24h", "7d"])
def test_charts_are_drawn_under_the_strict_policy(school: School, visitor: Visitor, span: str) -> None:
    end = now_ms()
    rows = [Reading("fridge-1/temperature", end - n * MINUTE, 4 + math.sin(n / 20)) for n in range(170, 0, -1)]
    school.series.append(batch_of("school", end, rows, agent="canteen"))
    page = visitor.open(f"{school.url}/assets/fridge-1?range={span}")
    chart = page.locator("#point-temperature .chart")
    expect(chart).to_have_attribute("data-drawn", "1", timeout=30_000)
    expect(page.locator("#point-door .chart")).to_have_attribute("data-drawn", "1", timeout=30_000)
    assert drawn_pixels(page, "temperature") > 2_000
    box = chart.bounding_box()
    assert box is not None
    for part in range(1, 10):
        page.mouse.move(box["x"] + box["width"] * part / 10, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] * 0.97, box["y"] + box["height"] / 2)
    expect(page.locator(".tip")).to_contain_text("Value")


def test_without_scripts_the_board_shows_all_and_the_form_works(school: School, visitor: Visitor) -> None:
    school.raise_alarm()
    page = visitor.open(school.url, scripts=False)
    expect(card(page, "fridge-1")).to_contain_text("9.4")
    page.get_by_text("Acknowledge", exact=True).click()
    page.get_by_label("Your name").fill("Wang Fang")
    page.get_by_role("button", name="I have seen it").click()
    expect(page.locator("#alarms")).to_contain_text("Acknowledged by Wang Fang")
    page.goto(f"{school.url}/assets/fridge-1")
    picture = page.locator("#point-temperature img")
    expect(picture).to_be_visible()
    box = picture.bounding_box()
    assert box is not None
    assert box["height"] > 100


@pytest.mark.parametrize("path", ["/", "/assets/fridge-1", "/assets/main-meter", "/alarms", "/nothing"])
@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_nothing_is_wider_than_a_phone(school: School, visitor: Visitor, path: str, language: str) -> None:
    school.raise_alarm()
    page = visitor.open(f"{school.url}{path}", width=390, language=language, theme="dark")
    if path.startswith("/assets/"):
        last = page.locator(".chart").last
        expect(last).to_have_attribute("data-drawn", "1", timeout=30_000)
    elif path != "/nothing":
        page.locator("details summary").first.click()
    assert overflow(page) <= 0
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN" if language == "zh-CN" else "en")
    if path == "/nothing":
        visitor.complaints.clear()  # the browser itself reports the 404


def test_the_language_is_switched_on_the_page(school: School, visitor: Visitor) -> None:
    page = visitor.open(school.url, language="en-GB")
    page.get_by_text("中文", exact=True).click()
    expect(page.locator("h1")).to_have_text("学校")
    expect(card(page, "fridge-1")).to_contain_text("正常")
    page.goto(f"{school.url}/alarms")
    expect(page.locator("h1")).to_have_text("报警")


def contrast(page: Page, selector: str) -> float:
    """Contrast of the text of an element against the ground that it stands on, by WCAG 2."""
    return float(
        page.evaluate(
            """(selector) => {
                const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
                const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
                    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
                    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
                const element = document.querySelector(selector);
                if (!element) throw new Error("nothing is " + selector);
                let ground = element;
                let behind = parse(getComputedStyle(ground).backgroundColor);
                while (behind.length === 4 && behind[3] === 0) {
                    ground = ground.parentElement;
                    behind = parse(getComputedStyle(ground).backgroundColor);
                }
                const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind)];
                return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            }""",
            selector,
        )
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_kind_of_text_can_be_read_against_its_ground(school: School, visitor: Visitor, theme: str) -> None:
    school.raise_alarm()
    page = visitor.open(school.url, theme=theme)
    page.locator("details summary").first.click()
    selectors = (
        "h1", "footer span", ".site-time", "#live span", "nav a[aria-current]", ".language", ".alarm-priority",
        ".alarm h3", ".alarm-figure", ".alarm-since .quiet", ".alarm-response", ".alarm .button", ".button.primary",
        "label", "input:not([type])",
        ".card h3 a", ".card.standing-normal .badge", ".card.standing-alarm .badge", ".card.standing-alarm .number",
        ".main-age", ".card dt", ".unit", ".tally .standing-normal span",
    )  # fmt: skip
    low = {selector: contrast(page, selector) for selector in selectors if contrast(page, selector) < 4.5}
    assert low == {}


def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(school: School, visitor: Visitor) -> None:
    page = visitor.open(school.url)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_a_silent_fridge_says_how_far_it_was_and_its_holes_are_counted(school: School, visitor: Visitor) -> None:
    """Warm for 23 minutes, then silent for 40: not an alarm, and not forgotten."""
    (document,) = school.console.site_revision("school").documents
    asset = "  - {id: larder, type: refrigerator, area: north-canteen, points: {temperature: {interval: 60s}}}\n"
    grown = document[1].replace("assets:\n", f"assets:\n{asset}", 1)
    now = now_ms()
    school.console.apply_site("school", [(document[0], grown)], "test", now)
    course = [(now - back * MINUTE, 9.4 if back < 63 else 4.2) for back in range(180, 39, -1)]
    rows = [Reading("larder/temperature", time, value) for time, value in course]
    school.series.append(batch_of("school", now - 40 * MINUTE, rows[-1:], agent="canteen"))
    school.series.append(batch_of("school", now, rows, agent="canteen"))
    school.console.flush_latest("school", [Latest(rows[-1].point, rows[-1].time, 9.4, Quality.GOOD, now)])
    said = "Cold storage too warm (> 8.0 °C): 25 min of 30 min had passed when it fell silent"
    page = visitor.open(school.url)
    expect(card(page, "larder")).to_contain_text(said)
    page.goto(f"{school.url}/assets/larder")
    expect(page.locator("#delays")).to_contain_text(said)
    page.get_by_role("link", name="Data completeness").click()
    row = page.get_by_role("row").filter(has_text="larder")
    expect(row.locator("svg.strip rect.hole")).to_have_count(7)
    expect(row.locator("svg.strip rect.backfilled").first).to_be_visible()
    expect(row).to_contain_text("nothing came")
    with page.expect_download() as download:
        page.get_by_text("Table for inspectors (CSV)").click()
    assert download.value.suggested_filename == "school-coverage.csv"
    table = download.value.path().read_text(encoding="utf-8").splitlines()
    assert table[0].startswith("point,day,whole_min,measured_min")
    assert {line.split("/")[0] for line in table[1:]} == {"larder"}
