"""The catalogue's YAML form, and that every complaint says line and remedy."""

from pathlib import Path

import pytest
import yaml

from domain import documents
from domain.catalogue import Label
from domain.catalogue_file import load_catalogue
from domain.documents import load_document
from domain.errors import InputError

SITE = """\
site:
  id: school
  title: {en: School, zh: 学校}
  timezone: Asia/Shanghai
  commissioned_at: 2026-03-01T08:00:00+08:00
areas:
  - {id: kitchen, title: Kitchen}
assets:
  - id: fridge-1
    type: refrigerator
    area: kitchen
    agent: canteen
    points:
      temperature: {interval: 60s}
      door: {}
      power: {unit: W, agent: meter}
  - id: boiler-1
    type: boiler
    area: kitchen
    points:
      status: {states: {off: 0, run: 1, fault: 2}}
"""


def seen(node: yaml.Node) -> object:
    """A document's nodes as they are placed and tagged."""
    value = node.value
    if isinstance(node, yaml.MappingNode):
        value = [(seen(key), seen(one)) for key, one in node.value]
    elif isinstance(node, yaml.SequenceNode):
        value = [seen(one) for one in node.value]
    return node.tag, node.start_mark.line, node.start_mark.column, value


RULES = sorted((Path(__file__).parents[3] / "rules" / "packs").glob("*.yaml"))
TEXTS = [SITE, "", "a: [1, 0x1F, 08, 1_000, on, no, true, ~, 2026-03-01, '1']", "校: {区: [x,  y]}\nb: 'é'\n"]


@pytest.mark.parametrize("text", [*TEXTS, *(path.read_text() for path in RULES)])
def test_the_quick_loader_reads_the_same_at_the_same_places(text: str) -> None:
    quick, plain = (yaml.compose(text, Loader=loader) for loader in (documents._QuickLoader, documents._Loader))
    assert quick == plain if quick is None or plain is None else seen(quick) == seen(plain)
    assert RULES


@pytest.mark.parametrize("text", ["a: [1, 2", "a: b: c", "\tx: 1", "a: 1\n---\nb: 2\n", 'a: "x', "a: \x00"])
def test_what_is_no_yaml_is_told_in_the_words_of_the_plain_loader(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(InputError) as quick:
        load_document(text, "x.yaml")
    monkeypatch.setattr(documents, "_QuickLoader", documents._Loader)
    with pytest.raises(InputError) as plain:
        load_document(text, "x.yaml")
    assert str(quick.value) == str(plain.value)


def test_a_site_is_read_whole() -> None:
    catalogue = load_catalogue(SITE, "site.yaml")
    assert (catalogue.site, catalogue.timezone, catalogue.commissioned_at) == (
        "school",
        "Asia/Shanghai",
        1_772_323_200_000,
    )
    assert catalogue.label.in_language("zh_CN") == "学校"
    assert catalogue.areas[0].label == Label("Kitchen")
    assert catalogue.areas[0].label.in_language("zh") == "Kitchen"
    temperature = catalogue.by_name["fridge-1/temperature"]
    assert (temperature.unit.code, temperature.interval, temperature.agent) == ("Cel", 60_000, "canteen")
    assert catalogue.by_name["fridge-1/door"].states == {"closed": 0, "open": 1}
    assert catalogue.by_name["fridge-1/power"].agent == "meter"
    status = catalogue.by_name["boiler-1/status"]
    assert (status.states, status.agent, status.interval) == ({"off": 0, "run": 1, "fault": 2}, None, None)
    assert (status.state_name(2.0), status.state_name(9.0)) == ("fault", None)
    assert catalogue.assets_by_id["boiler-1"].type == "boiler"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("id: school", "id: School", 2, "not a valid site id"),
        ("timezone: Asia/Shanghai", "timezone: Shanghai", 4, "IANA"),
        ("type: refrigerator", "type: refrigerater", 10, "did you mean 'refrigerator'"),
        ("area: kitchen\n    agent", "area: cellar\n    agent", 11, "known areas: kitchen"),
        ("interval: 60s", "interval: 60", 14, "write a unit"),
        ("interval: 60s", "intervall: 60s", 14, "did you mean 'interval'"),
        ("interval: 60s", "interval: 0s", 14, "longer than zero"),
        ("unit: W", "unit: kW", 16, "write unit: W"),
        ("unit: W", "unit: watt", 16, "not a known unit"),
        ("id: boiler-1", "id: fridge-1", 17, "here twice"),
        ("run: 1, fault: 2", "run: 1, fault: 1", 21, "same number"),
        ("status: {states", "oddity: {interval: 5s}\n      status: {states", 21, "needs a unit"),
        ("2026-03-01T08:00:00+08:00", "2026-03-01T08:00:00", 5, "no time zone"),
        ("      door: {}", "      door: {}\n      door: {}", 16, "stands here twice"),
        ("    type: boiler\n", "", 17, "'type' is missing"),
        ("site:\n", "sites:\n", 1, "did you mean 'site'"),
    ],
)
def test_a_slip_in_the_file_is_named_with_its_line_and_remedy(old: str, new: str, line: int, words: str) -> None:
    assert old in SITE
    with pytest.raises(InputError) as caught:
        load_catalogue(SITE.replace(old, new, 1), "site.yaml")
    assert caught.value.place.file == "site.yaml"
    assert caught.value.place.line == line
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "a: [1", "a: b: c", "\tx: 1", "- 1\n---\n- 2\n", "a: \x00"])
def test_what_is_not_one_yaml_document_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError):
        load_document(text, "x.yaml")


@pytest.mark.parametrize("text", ["- a\n", "word", "5", "{site: 5}", "{site: [1]}", "site: {id: {}}"])
def test_a_document_of_another_shape_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError):
        load_catalogue(text, "x.yaml")


def test_a_moment_is_a_time_or_where_there_is_a_start_a_time_after_it() -> None:
    text = "{t: 2026-03-01T08:30:00Z, e: 1772353800000, d: 1d6h, w: soon, n: 2026-03-01}"
    fields = load_document(text, "x").entries()
    assert fields["t"].moment() == fields["e"].moment() == fields["t"].moment(5) == 1_772_353_800_000
    assert fields["d"].moment(1_000) == 1_000 + 30 * 3_600_000
    for name, start, words in (("d", None, "neither RFC 3339"), ("w", 0, "a time after"), ("n", None, "zone")):
        with pytest.raises(InputError, match=words):
            fields[name].moment(start)


def test_scalars_are_read_as_what_they_are() -> None:
    fields = load_document("{n: 5, f: 2.5, t: on, b: true, d: 30min, l: [a, b], one: a, nan: .nan}", "x").entries()
    assert fields["n"].integer() == 5
    assert fields["f"].number() == 2.5
    assert fields["t"].text() == "on"
    assert fields["b"].boolean() is True
    assert fields["d"].duration() == 1_800_000
    assert fields["l"].texts() == ("a", "b")
    assert fields["one"].texts() == ("a",)
    for name, read in (("f", "integer"), ("t", "number"), ("n", "boolean"), ("nan", "number"), ("l", "text")):
        with pytest.raises(InputError):
            getattr(fields[name], read)()
    with pytest.raises(InputError, match=">= 6"):
        fields["n"].integer(least=6)


@pytest.mark.parametrize(
    "value", ["!30min", "!x 5", "!!int five", "!!float x", "!!bool maybe", "!!timestamp x", "!!binary ä"]
)
def test_a_value_with_a_type_that_it_is_not_of_is_a_placed_mistake(value: str) -> None:
    node = (
        load_document(f"rules:\n  delay: {value}\n", "r.yaml").fields(("rules",))["rules"].fields(("delay",))["delay"]
    )
    with pytest.raises(InputError, match=r"r.yaml:2:\d+: .*delay.* is no .*\n.*leave out"):
        node.scalar()
