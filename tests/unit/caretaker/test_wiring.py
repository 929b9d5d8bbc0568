"""The wiring: real stores at the seams, rule files by name, configured files applied whole or not at all."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from caretaker.settings import Settings
from caretaker.wiring import (
    apply_configured,
    judge_factory,
    open_console,
    open_operational,
    open_series,
    rule_documents,
    rule_titles,
)
from domain.batch import batch_of
from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError, InputError
from domain.readings import Reading
from domain.records import Revision
from rules.packs import load_pack_text
from store.operational.store import OperationalStore

NOW = 1_790_000_000_000
SITE = "site: {id: school, title: School}\nareas: [{id: kitchen, title: Kitchen}]\nassets: []\n"
WARM = (
    "rules:\n  - {id: warm, title: {en: Too warm, zh: 过热}, applies_to: {metric: temperature},"
    " condition: {above: 8}, priority: high}\n"
)
COLD = "rules:\n  - {id: cold, applies_to: {metric: temperature}, condition: {below: 0}, priority: low}\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "school.yaml").write_text(SITE)
    (tmp_path / "warm.yaml").write_text(WARM)
    return Settings(data_dir=tmp_path / "data", sites=(tmp_path / "school.yaml",), rules=(str(tmp_path / "warm.yaml"),))


@pytest.fixture
def store(settings: Settings) -> Iterator[OperationalStore]:
    with closing(open_operational(settings)) as opened:
        yield opened


def test_the_folder_is_made_and_both_stores_are_files_in_it(settings: Settings) -> None:
    open_operational(settings).close()
    open_series(settings).close()
    assert settings.operational_path.is_file()
    assert settings.series_path.is_file()


def test_what_one_opening_writes_the_other_reads(settings: Settings, store: OperationalStore) -> None:
    store.apply_site("school", [("s.yaml", SITE)], "li", NOW)
    with closing(open_console(settings)) as console:
        assert console.sites() == ["school"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for open_store in (open_operational, open_series):
        with pytest.raises(CaretakerError, match="cannot be made") as caught:
            open_store(Settings(data_dir=tmp_path / "file" / "data"))
        assert "writable" in caught.value.remedy


@pytest.mark.parametrize("content", [b"this is no database" * 300, None])
def test_a_store_that_cannot_be_opened_is_said_with_its_path(settings: Settings, content: bytes | None) -> None:
    settings.data_dir.mkdir()
    for path, open_store in ((settings.operational_path, open_operational), (settings.series_path, open_series)):
        path.mkdir() if content is None else path.write_bytes(content)
        with pytest.raises(CaretakerError, match=f"{path.name} (cannot be opened|is not available)") as caught:
            open_store(settings)
        assert caught.value.remedy


def test_each_site_has_an_engine_of_its_own_that_judges(settings: Settings) -> None:
    series = open_series(settings)
    ledger = open_operational(settings)
    make = judge_factory(series, ledger)
    text = SITE.replace(
        "assets: []", "assets: [{id: f, type: refrigerator, area: kitchen, title: F, points: {temperature: {}}}]"
    )
    school, annex = make("school"), make("annex")
    school.configure(load_catalogue(text, "s"), Revision("school", 1, (("warm.yaml", WARM),), NOW, "li"), NOW)
    events = school.feed(batch_of("school", NOW + 120_000, [Reading("f/temperature", NOW + 1000, 9.0)]))
    events += school.clock(NOW + 300_000, True)
    assert [str(event.key.rule) for event in events] == ["warm"]
    assert annex.feed(batch_of("annex", NOW + 120_000, [Reading("f/temperature", NOW + 1000, 9.0)])) == []
    series.close()
    ledger.close()


def test_rule_documents_are_packs_by_name_and_files_by_path(tmp_path: Path) -> None:
    (tmp_path / "warm.yaml").write_text(WARM)
    own = str(tmp_path / "warm.yaml")
    assert rule_documents(["pack:cn-canteen", own]) == (("pack:cn-canteen", load_pack_text("cn-canteen")), (own, WARM))
    assert rule_documents([]) == ()
    with pytest.raises(CaretakerError, match="no-such"):
        rule_documents(["pack:no-such"])
    with pytest.raises(InputError, match="cannot be read"):
        rule_documents([str(tmp_path / "absent.yaml")])


def test_configured_files_are_applied_and_the_site_goes_live(settings: Settings, store: OperationalStore) -> None:
    assert apply_configured(settings, store, NOW) == ["school"]
    assert store.commissioned_at("school") == NOW
    site, rules = store.site_revision("school"), store.rules_revision("school")
    assert site is not None
    assert rules is not None
    assert (site.number, site.documents) == (1, (("school.yaml", SITE),))
    assert (rules.number, rules.documents[0][1]) == (1, WARM)


def test_applied_again_nothing_changes(settings: Settings, store: OperationalStore) -> None:
    apply_configured(settings, store, NOW)
    before = store.audit("school", 100)
    assert apply_configured(settings, store, NOW + 5000) == ["school"]
    assert store.commissioned_at("school") == NOW
    assert store.audit("school", 100) == before


def test_rules_that_people_saved_stay_over_a_restart(settings: Settings, store: OperationalStore) -> None:
    apply_configured(settings, store, NOW)
    changed = ((settings.rules[0], WARM.replace("above: 8", "above: 7")),)
    store.apply_rules("school", changed, "li", NOW + 1, "a stricter limit")
    with structlog.testing.capture_logs() as said:
        apply_configured(settings, store, NOW + 2)
    present = store.rules_revision("school")
    assert present is not None
    assert (present.number, present.documents, said) == (2, changed, [])


def test_where_both_changed_the_peoples_rules_stay_and_the_log_says_so(
    settings: Settings, store: OperationalStore, tmp_path: Path
) -> None:
    apply_configured(settings, store, NOW)
    for number in range(25):  # more than one page of the history
        store.apply_rules("school", (("own.yaml", f"{WARM}# {number}"),), "li", NOW + number)
    Path(settings.rules[0]).write_text(WARM + "# a newer pack\n")
    with structlog.testing.capture_logs() as said:
        apply_configured(settings, store, NOW + 99)
    assert [(one["log_level"], one["site"], one["by"]) for one in said] == [("warning", "school", "li")]
    assert "caretaker rules apply" in said[0]["remedy"]
    present = store.rules_revision("school")
    assert present is not None
    assert present.number == 26


def test_a_changed_file_is_taken_while_nobody_saved_others(settings: Settings, store: OperationalStore) -> None:
    apply_configured(settings, store, NOW)
    Path(settings.rules[0]).write_text(WARM + "# newer\n")
    apply_configured(settings, store, NOW + 1)
    present = store.rules_revision("school")
    assert present is not None
    assert (present.number, present.documents[0][1]) == (2, WARM + "# newer\n")


def test_the_file_may_say_since_when_the_site_is_live(
    settings: Settings, store: OperationalStore, tmp_path: Path
) -> None:
    live = SITE.replace("title: School", "title: School, commissioned_at: '2026-01-02T00:00:00Z'")
    (tmp_path / "school.yaml").write_text(live)
    apply_configured(settings, store, NOW)
    assert store.commissioned_at("school") == 1_767_312_000_000


def test_without_configured_sites_what_was_applied_by_hand_stays(tmp_path: Path, store: OperationalStore) -> None:
    store.apply_site("annex", [("a.yaml", SITE)], "li", NOW)
    store.apply_rules("annex", [("own.yaml", COLD)], "li", NOW)
    assert apply_configured(Settings(data_dir=tmp_path / "data"), store, NOW) == ["annex"]
    rules = store.rules_revision("annex")
    assert rules is not None
    assert rules.documents == (("own.yaml", COLD),)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("warm.yaml", "rules:\n  - {id: warm}\n", "warm.yaml:2"),
        ("warm.yaml", None, "cannot be read"),
        ("second.yaml", "site: {id: School}\n", "second.yaml:1"),
        ("second.yaml", None, "cannot be read"),
        ("second.yaml", SITE, "both describe the site school"),
    ],
)
def test_one_bad_file_changes_nothing(
    settings: Settings, store: OperationalStore, tmp_path: Path, name: str, text: str | None, words: str
) -> None:
    (tmp_path / "second.yaml").write_text(SITE.replace("id: school", "id: second"))
    path = tmp_path / name
    path.unlink() if text is None else path.write_text(text)
    wider = settings.model_copy(update={"sites": (*settings.sites, tmp_path / "second.yaml")})
    with pytest.raises(CaretakerError, match=words):
        apply_configured(wider, store, NOW)
    assert store.sites() == []
    assert store.audit("school", 10) == []


def test_titles_are_looked_up_and_follow_the_newest_revision(store: OperationalStore) -> None:
    title = rule_titles(store)
    assert title("school", "warm") is None
    store.apply_site("school", [("s.yaml", SITE)], "li", NOW)
    assert title("school", "warm") is None
    store.apply_rules("school", [("w.yaml", WARM)], "li", NOW)
    label = title("school", "warm")
    assert label is not None
    assert (label.en, label.zh) == ("Too warm", "过热")
    assert title("school", "no-such-rule") is None
    assert title("annex", "warm") is None
    store.apply_rules("school", [("w.yaml", WARM.replace("Too warm", "Warm"))], "li", NOW + 1)
    changed = title("school", "warm")
    assert changed is not None
    assert changed.en == "Warm"
