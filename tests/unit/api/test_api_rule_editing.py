"""The pages on which rules are read, changed, tried and saved, as a browser without scripts sees them."""

import html
import re
from typing import Any
from urllib.parse import unquote

import pytest

from api.command_pages import NAME_COOKIE
from domain.alarms import EventKind
from domain.times import HOUR, MINUTE
from rules.loading import load_documents
from rules.model import Limit
from tests.unit.api.conftest import RULES
from tests.unit.api.test_api_rules import LEGAL, alarm_of, warm

WHO = {"by": "Li Na 李娜", "why": "too noisy at lunch"}


def send(bench: Any, path: str, language: str = "en", **form: str) -> Any:
    """One form, sent as a browser does; what is in force is what the person saw, unless the form says otherwise."""
    data = {"site": "school", "revision": str(bench.console.rules_revision("school").number), "days": "7", **form}
    headers = {"accept": "text/html", "accept-language": language}
    return bench.request("POST", path, data=data, headers=headers)


def values(**changes: str) -> dict[str, str]:
    """The form of the rule cold-high as it stands, with changes (`a__b` for `levels.a.b`)."""
    present = {
        "levels.0.above": "8.0", "levels.0.deadband": "0.5", "levels.0.on_delay": "30min", "levels.0.off_delay": "",
        "levels.0.priority": "high", "levels.1.above": "12.0", "levels.1.deadband": "", "levels.1.on_delay": "",
        "levels.1.off_delay": "", "levels.1.priority": "urgent",
    }  # fmt: skip
    changed = {f"levels.{name[1]}.{name[3:]}": value for name, value in changes.items()}
    return {f"value.{name}": value for name, value in {**present, **changed}.items()}


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def fields(page: str) -> dict[str, str]:
    """Every named input of the page with a value of its own; the last of each name."""
    found = re.findall(r'<input [^>]*name="([^"]*)"[^>]*value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


def in_force(bench: Any) -> Any:
    return load_documents(bench.console.rules_revision("school").documents).rules


def test_before_any_site_the_pages_say_which_command_to_run(empty: Any) -> None:
    for path, status in (
        ("/rules", 200), ("/rule-revisions", 200),
        ("/rules/cold-high", 404), ("/rule-new", 404), ("/rule-revisions/1", 404),
    ):  # fmt: skip
        assert "caretaker site apply site.yaml" in empty.page(path, status=status)


def test_what_is_not_there_is_not_found(bench: Any) -> None:
    for path in ("/rules/nobody", "/rule-revisions/7", "/rules/cold-high?site=annex"):
        bench.page(path, status=404)
    assert send(bench, "/rules/nobody/try", text="id: nobody").status_code == 404
    assert send(bench, "/rule-revisions/7/save", **WHO).status_code == 404


def test_the_list_says_what_each_rule_judges_its_basis_and_how_often_it_spoke(bench: Any) -> None:
    bench.console.apply_rules("school", [("rules.yaml", LEGAL)], "setup", bench.now)
    for hour in (1, 3):
        alarm_of(bench, EventKind.RAISE, bench.now - hour * HOUR)
        alarm_of(bench, EventKind.CLEAR, bench.now - hour * HOUR + MINUTE)
    page = bench.page("/rules")
    rows = [words(row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.S)[1:]]
    assert rows == [
        "Too warm Urgent Fridge 1 legal The book 2",
        "cold-low Low Fridge 1 the site’s own 0",
        "Boiler fault Medium Boiler 1 the site’s own 0",
    ]
    assert 'href="/rules/cold-high"' in page
    assert "Revision 2." in page
    assert 'aria-current="page">Rules</a>' in page


def test_a_rule_that_judges_nothing_here_says_so_and_many_assets_are_counted(bench: Any) -> None:
    idle = "{id: hot, applies_to: {asset_type: freezer, metric: temperature}, condition: {above: 1}, priority: low}"
    more = f"{RULES}  - {idle}\n"
    bench.console.apply_rules("school", [("rules.yaml", more)], "setup", bench.now)
    fridges = "".join(
        f"  - {{id: fridge-{n}, type: refrigerator, area: kitchen, points: {{temperature: {{}}}}}}\n"
        for n in range(2, 7)
    )
    described = bench.console.site_revision("school").documents[0][1]
    bench.console.apply_site("school", [("site.yaml", described + fridges)], "setup", bench.now)
    page = words(bench.page("/rules"))
    assert "hot Low nothing at this site" in page
    assert "Fridge 1, fridge-2, fridge-3, 3 more" in page
    assert "nothing at this site" in bench.page("/rules/hot")


def test_without_rules_the_list_says_which_command_applies_some(bench: Any) -> None:
    bench.console.rules.clear()
    assert "caretaker rules apply pack:cn-canteen --site school" in bench.page("/rules")
    assert "nothing is judged" in bench.page("/rule-revisions")
    bench.page("/rules/cold-high", status=404)


def test_the_form_has_every_value_a_manager_may_change(bench: Any) -> None:
    page = bench.page("/rules/cold-high")
    given = fields(page)
    assert {name: value for name, value in given.items() if name.startswith("value.")} == {
        name: value for name, value in values().items() if not name.endswith("priority")
    }
    assert (given["site"], given["revision"]) == ("school", "1")
    assert page.count('<option value="high" selected>') == 1
    assert page.count('<option value="urgent" selected>') == 1
    text = words(page)
    for said in ("Level 1 Alarm above (°C)", "Over only this far inside the limit (°C)", "Raised when it has lasted",
                 "Over when it has been over for", "Rules last saved Revision 1 · setup", "Stands in rules.yaml",
                 "What to do Move the food"):  # fmt: skip
        assert said in text
    assert "id: cold-high\ntitle: {en: Too warm" in html.unescape(page)
    assert "come from the law" not in text


def test_the_same_in_chinese(bench: Any) -> None:
    bench.console.apply_rules("school", [("rules.yaml", LEGAL)], "setup", bench.now)
    text = words(bench.page("/rules/cold-high", "zh-CN"))
    for said in ("温度过高", "第 1 级 高于此值报警 (°C)", "报警延时", "此限值来自法规", "法定: The book", "试算"):
        assert said in text
    assert not re.search(r"Alarm above|Raised when|Try it", text)


def test_a_change_is_tried_with_the_guards_words_and_its_alarms_and_nothing_is_saved(bench: Any) -> None:
    warm(bench, (100, 137), (300, 337), (500, 700))
    answer = send(bench, "/rules/cold-high/try", **values(_0_on_delay="45min"))
    assert answer.status_code == 200
    text = words(answer.text)
    assert "2 nuisance alarms fewer; 0 real excursions hidden; 1 told later" in text
    assert "Tried on 1,440 readings of the last 7 days." in text
    rows = re.findall(r"<tr>\s*(<td data-label=\"From\".*?)</tr>", answer.text, re.S)
    assert [words(row).partition("Too warm")[2] for row in rows] == [
        " High Fridge 1 8 min nuisance: nobody had to act"
    ] * 2
    assert 'action="/rules/cold-high/save"' in answer.text
    assert bench.console.rules_revision("school").number == 1


def test_what_was_tried_is_saved_with_who_and_why_and_only_its_words_change(bench: Any) -> None:
    warm(bench, (100, 137))
    tried = send(bench, "/rules/cold-high/try", **values(_0_on_delay="45min", _0_above="7.5"))
    saving = re.search(r'<form method="post" action="/rules/cold-high/save".*?</form>', tried.text, re.S)
    assert saving is not None
    answer = bench.request("POST", "/rules/cold-high/save", data={**fields(saving.group()), **WHO})
    assert (answer.status_code, answer.headers["location"]) == (303, "/rules/cold-high?saved=2")
    assert bytes.fromhex(answer.cookies[NAME_COOKIE]).decode() == "Li Na 李娜"
    revision = bench.console.rules_revision("school")
    assert (revision.number, revision.applied_by, revision.why) == (2, "Li Na 李娜", "too noisy at lunch")
    assert revision.documents[0][1] == RULES.replace("8.0", "7.5").replace("on_delay: 30min", "on_delay: 45min")
    page = words(bench.page("/rules/cold-high?saved=2"))
    assert "Saved. It is in force within seconds." in page
    assert "Revision 2 · Li Na 李娜" in page


def test_a_looser_legal_limit_is_refused_in_clear_words_when_tried_and_when_saved(bench: Any) -> None:
    bench.console.apply_rules("school", [("rules.yaml", LEGAL)], "setup", bench.now)
    loose = values(_0_above="10")
    tried = send(bench, "/rules/cold-high/try", **loose)
    assert tried.status_code == 200
    for answer in (tried, send(bench, "/rules/cold-high/save", **loose, **WHO, accept="9")):
        text = words(answer.text)
        assert "This would loosen a legal limit, so it cannot be saved." in text
        assert "Too warm: the limit above 8 becomes 10 (The book)" in text
        assert "add a rule of your own beside it" in text
        assert 'action="/rules/cold-high/save"' not in answer.text
        assert fields(answer.text)["value.levels.0.above"] == "10"
    assert answer.status_code == 409
    assert in_force(bench)["cold-high"].levels[0].condition == Limit(above=8.0, deadband=0.5)
    chinese = words(send(bench, "/rules/cold-high/try", "zh", **values(_0_above="10", _0_priority="low")).text)
    assert "此修改会放宽法定限值，不能保存。" in chinese
    assert "温度过高: 上限 8 改为 10" in chinese
    chinese = words(send(bench, "/rules/cold-high/try", "zh", **values(_0_priority="low")).text)
    assert "优先级由“高”降为“低”" in chinese


def test_a_stricter_legal_limit_and_another_delay_may_be_saved(bench: Any) -> None:
    bench.console.apply_rules("school", [("rules.yaml", LEGAL)], "setup", bench.now)
    answer = send(bench, "/rules/cold-high/save", **values(_0_above="7", _0_on_delay="40min"), **WHO)
    assert answer.status_code == 303
    assert in_force(bench)["cold-high"].levels[0].on_delay == 40 * MINUTE


def test_hidden_real_excursions_must_be_looked_at_before_it_is_saved(bench: Any) -> None:
    warm(bench, (100, 160))
    change = values(_0_on_delay="3h")
    tried = send(bench, "/rules/cold-high/try", **change)
    assert "1 real excursion hidden" in words(tried.text)
    assert "real: somebody would have had to act" in words(tried.text)
    assert re.search(r'name="accept" value="1" required', tried.text)
    refused = send(bench, "/rules/cold-high/save", **change, **WHO)
    assert refused.status_code == 409
    assert "This was not saved." in words(refused.text)
    assert fields(refused.text)["why"] == "too noisy at lunch"
    assert bench.console.rules_revision("school").number == 1
    assert send(bench, "/rules/cold-high/save", **change, **WHO, accept="1").status_code == 303


@pytest.mark.parametrize("missing", ["by", "why"])
def test_without_who_and_why_nothing_is_saved(bench: Any, missing: str) -> None:
    answer = send(bench, "/rules/cold-high/save", **values(_0_above="7"), **{**WHO, missing: "  "})
    assert answer.status_code == 409
    assert "who saves it, and why" in answer.text
    assert bench.console.rules_revision("school").number == 1


def test_who_saves_after_somebody_else_looks_again_first(bench: Any) -> None:
    assert send(bench, "/rules/cold-low/save", **{"value.condition.below": "1"}, **WHO).status_code == 303
    late = send(bench, "/rules/cold-high/save", **values(_0_above="7"), **WHO, revision="1")
    assert late.status_code == 409
    assert "the rules have revision 2, not 1" in late.text
    assert in_force(bench)["cold-high"].levels[0].condition == Limit(above=8.0, deadband=0.5)


UNUSABLE: list[tuple[dict[str, str], str]] = [
    (values(_0_above="warm"), "levels.0.above"),
    (values(_0_on_delay="soon"), "no duration"),
    (values(_1_above="5"), "less grave than the one before"),
    ({"value.latching": "true"}, "no value"),
    ({"text": "id: cold-high\ncondition: {above: 9}"}, "rules.yaml:"),
    ({"text": "id: [cold-high"}, "not YAML"),
]


def test_what_cannot_be_used_comes_back_as_it_was_typed_with_a_remedy(bench: Any) -> None:
    for change, said in UNUSABLE:
        answer = send(bench, "/rules/cold-high/try", **change)
        assert answer.status_code == 422
        text = words(answer.text)
        assert "This cannot be used as it is." in text
        assert said in text
        if "text" in change:
            assert change["text"] in html.unescape(answer.text)
        assert bench.console.rules_revision("school").number == 1


def test_a_form_too_long_for_a_rule_is_refused(bench: Any) -> None:
    answer = send(bench, "/rules/cold-high/try", text="x" * 500_001)
    assert "the text is too long" in answer.text


def test_the_whole_rule_is_tried_and_saved_as_text(bench: Any) -> None:
    page = html.unescape(bench.page("/rules/cold-low"))
    text = re.search(r'<textarea name="text"[^>]*>\n(.*?)</textarea>', page, re.S)
    assert text is not None
    changed = text.group(1) + "\nlatching: true"
    tried = send(bench, "/rules/cold-low/try", text=changed)
    assert f'<textarea name="text" hidden>\n{html.escape(changed, quote=False)}</textarea>' in tried.text.replace(
        "&#39;", "'"
    )
    assert send(bench, "/rules/cold-low/save", text=changed.replace("\n", "\r\n"), **WHO).status_code == 303
    assert in_force(bench)["cold-low"].latching


def test_rules_that_do_not_fit_the_site_are_shown_and_cannot_be_saved(bench: Any) -> None:
    odd = "id: boiler-fault\napplies_to: {asset_type: [boiler], metric: status}\ncondition: {state: broken}"
    tried = send(bench, "/rules/boiler-fault/try", text=f"{odd}\npriority: medium")
    assert "has no state 'broken'" in words(tried.text)
    assert 'action="/rules/boiler-fault/save"' not in tried.text


def test_a_rule_of_ones_own_beside_the_legal_one(bench: Any) -> None:
    page = html.unescape(bench.page("/rule-new"))
    example = re.search(r'<textarea name="text"[^>]*>\n(.*?)</textarea>', page, re.S)
    assert example is not None
    warm(bench, (100, 160))
    mine = example.group(1)
    tried = send(bench, "/rule-new/try", text=mine)
    assert "1 alarm more" in words(tried.text)
    assert "Alarms that would have come besides" in tried.text
    saved = send(bench, "/rule-new/save", text=mine, **WHO)
    assert (saved.status_code, saved.headers["location"]) == (303, "/rules?saved=2")
    assert "Saved." in words(bench.page("/rules?saved=2"))
    assert [name for name, _ in bench.console.rules_revision("school").documents] == ["rules.yaml", "own.yaml"]
    assert list(in_force(bench))[-1] == "my-fridge-warm"
    assert send(bench, "/rule-new/save", text=mine, **WHO).status_code == 422  # it is there already


def test_a_suggestion_of_the_quality_page_opens_the_form_filled_in(bench: Any) -> None:
    warm(bench, (100, 137), (300, 337), (500, 700))
    for minute in (130, 330):
        for kind, at in ((EventKind.RAISE, minute), (EventKind.CLEAR, minute + 8)):
            alarm_of(bench, kind, bench.now - 24 * HOUR + at * MINUTE)
    page = bench.page("/quality?days=7&suggest=1")
    link = re.search(r'href="(/rules/cold-high\?set=[^"]*)"', page)
    assert link is not None
    assert unquote(link.group(1)) == "/rules/cold-high?set=on_delay+45min"
    assert fields(bench.page(link.group(1)))["value.levels.0.on_delay"] == "45min"
    assert fields(bench.page("/rules/cold-high?set=deadband%20x"))["value.levels.0.deadband"] == "0.5"


def test_the_roles_of_the_quality_page_have_names(bench: Any) -> None:
    told = RULES.replace(
        "    response: {en: Move the food",
        "    escalate: {to: [canteen_manager, night_watch], after: [0min, 0min]}\n    response: {en: Move the food",
    )
    bench.console.apply_rules("school", [("rules.yaml", told)], "setup", bench.now)
    assert "Canteen manager night_watch" in words(bench.page("/quality"))
    chinese = bench.page("/quality", "zh-CN")
    assert 'data-label="食堂负责人"' in chinese
    assert "canteen_manager" not in chinese


def test_the_alarms_page_leads_to_its_rule_and_names_the_revision(bench: Any) -> None:
    bench.raise_alarm()
    page = bench.page("/alarms/cold-high/fridge-1/temperature")
    assert "Judged by rules revision 0." in page
    assert 'href="/rules/cold-high"' in page


def test_with_several_sites_every_form_stays_at_its_own(bench: Any) -> None:
    bench.console.apply_site("annex", [("site.yaml", "site: {id: annex}\n")], "setup", bench.now)
    bench.console.apply_rules("annex", [("x.yaml", "rules: []\n")], "setup", bench.now)
    page = bench.page("/rules?site=school")
    assert 'href="/rules/cold-high?site=school"' in page
    answer = send(bench, "/rules/cold-high/save", **values(_0_above="7"), **WHO)
    assert answer.headers["location"] == "/rules/cold-high?site=school&saved=2"
    assert bench.console.rules_revision("annex").number == 1


def test_a_page_of_another_site_cannot_save_rules(bench: Any) -> None:
    answer = bench.request(
        "POST", "/rules/cold-high/save", data={"site": "school", **values(_0_above="7"), **WHO},
        headers={"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
    )  # fmt: skip
    assert answer.status_code == 403
    assert bench.console.rules_revision("school").number == 1


def test_the_address_of_an_answer_leads_to_the_page_of_its_form(bench: Any) -> None:
    for path in ("/rules/cold-high", "/rule-new", "/rule-revisions/1"):
        for what in ("try", "save"):
            answer = bench.get(f"{path}/{what}?lang=zh", headers={"accept": "text/html"})
            assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?lang=zh")
            assert bench.get(f"{path}/{what}").headers["location"] == path


def test_a_trial_says_what_is_odd_about_the_changed_rule_and_not_about_all_others(bench: Any) -> None:
    idle = "{id: idle, applies_to: {asset_type: freezer, metric: temperature}, condition: {above: 1}, priority: low}"
    bench.console.apply_rules("school", [("rules.yaml", f"{RULES}  - {idle}\n")], "setup", bench.now)
    assert "judges nothing" not in send(bench, "/rules/cold-high/try", **values(_0_above="7")).text
    assert "judges nothing" in send(bench, "/rules/idle/try", **{"value.condition.above": "2"}).text
