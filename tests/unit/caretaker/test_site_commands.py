"""`caretaker site …`, `dead-letters`, `doctor`, `backup` and `restore` as functions: what is printed and stored."""

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from caretaker.cli import build
from caretaker.commands.site import difference
from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError, InputError, NotFoundError
from domain.records import Commit, DeadLetter, DeadReason
from store.operational.store import OperationalStore
from tests.support import free_port

NOW = 1_790_000_000_000
SITE = """\
site: {id: school, title: School}
areas: [{id: kitchen, title: Kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, title: Fridge, points: {temperature: {interval: 60s}}}
"""
SECOND = "  - {id: fridge-2, type: refrigerator, area: kitchen, title: Fridge 2, points: {temperature: {}, door: {}}}\n"
RULES = "rules:\n  - {id: warm, applies_to: {metric: temperature}, condition: {above: 8}, priority: high}\n"


class Place:
    """An installation's folder with its settings file, and the commands run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.config = folder / "caretaker.toml"
        self.config.write_text(f'data_dir = "data"\n[broker]\nport = {free_port()}\n')
        self.site = folder / "site.yaml"
        self.site.write_text(SITE)

    def run(self, *words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(build(), [*words, "--config", str(self.config)], input=typed, catch_exceptions=False)

    def lines(self, *words: str) -> list[str]:
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    def store(self) -> "closing[OperationalStore]":
        return closing(OperationalStore(f"sqlite:///{self.data / 'operational.sqlite'}"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def applied(place: Place) -> Place:
    place.run("site", "apply", str(place.site), "--by", "li")
    return place


def test_apply_shows_what_is_new_and_the_site_is_live(place: Place) -> None:
    assert place.lines("site", "apply", str(place.site), "--by", "li") == [
        "+ fridge-1/temperature", "school: revision 1",
    ]  # fmt: skip
    with place.store() as store:
        revision, live = store.site_revision("school"), store.commissioned_at("school")
    assert revision is not None
    assert (revision.documents, revision.applied_by) == ((("site.yaml", SITE),), "li")
    assert live is not None


def test_apply_again_changes_nothing_and_says_so(applied: Place) -> None:
    assert applied.lines("site", "apply", str(applied.site)) == ["school: revision 1, nothing changed"]
    with applied.store() as store:
        revision = store.site_revision("school")
    assert revision is not None
    assert revision.applied_by == "li"


def test_apply_does_not_move_the_moment_of_going_live(applied: Place) -> None:
    applied.lines("site", "commission", "school", "--at", "2026-03-01T00:00:00+08:00")
    applied.site.write_text(SITE + SECOND)
    assert applied.lines("site", "apply", str(applied.site)) == [
        "+ fridge-2/temperature", "+ fridge-2/door", "school: revision 2",
    ]  # fmt: skip
    assert applied.lines("site", "list") == ["school  revision 2  live since 2026-02-28T16:00:00.000Z"]


@pytest.mark.parametrize(
    ("typed", "words", "code", "number"),
    [("n\n", (), 1, 2), ("", (), 1, 2), ("y\n", (), 0, 3), (None, ("--yes",), 0, 3), (None, ("-y",), 0, 3)],
)
def test_points_are_removed_only_after_a_yes(
    applied: Place, typed: str | None, words: tuple[str, ...], code: int, number: int
) -> None:
    applied.site.write_text(SITE + SECOND)
    applied.run("site", "apply", str(applied.site))
    applied.site.write_text(SITE)
    result = applied.run("site", "apply", str(applied.site), *words, typed=typed)
    assert result.exit_code == code
    assert "- fridge-2/door" in result.stdout
    assert ("alarms close. Go on?" in result.stdout) is (not words)
    with applied.store() as store:
        revision = store.site_revision("school")
    assert revision is not None
    assert revision.number == number


@pytest.mark.parametrize(
    ("text", "words"),
    [("site: {id: School, title: S}\n", "site.yaml:1"), ("", "site.yaml"), (None, "cannot be read")],
)
def test_a_bad_site_file_stores_nothing(place: Place, text: str | None, words: str) -> None:
    place.site.unlink() if text is None else place.site.write_text(text)
    with pytest.raises(InputError, match=words):
        place.run("site", "apply", str(place.site))
    assert not (place.data / "operational.sqlite").exists()


def test_without_a_site_the_list_says_what_to_do(place: Place) -> None:
    assert "caretaker site apply FILE" in place.lines("site", "list")[0]


def test_commission_now_at_a_time_and_taken_back(applied: Place) -> None:
    assert applied.lines("site", "commission", "school", "--off") == []
    assert applied.lines("site", "list") == ["school  revision 1  not live yet"]
    applied.lines("site", "commission", "school", "--by", "wang")
    assert "live since 20" in applied.lines("site", "list")[0]
    with applied.store() as store:
        assert [entry["by"] for entry in store.audit("school", 2)] == ["wang", "command line"]


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("nowhere",), NotFoundError, "known: school"),
        (("school", "--at", "noon"), CaretakerError, "--at: 'noon'"),
        (("school", "--at", "2026-03-01T00:00:00"), CaretakerError, "--at:"),
        (("school", "--at", "2026-03-01T00:00:00Z", "--off"), CaretakerError, "contradict"),
    ],
)
def test_commission_refuses_what_it_cannot_do(
    applied: Place, words: tuple[str, ...], error: type[CaretakerError], said: str
) -> None:
    with pytest.raises(error) as caught:
        applied.run("site", "commission", *words)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (None, SITE, ["+ fridge-1/temperature"]),
        (SITE, SITE, []),
        (SITE, SITE + SECOND, ["+ fridge-2/temperature", "+ fridge-2/door"]),
        (SITE + SECOND, SITE, ["- fridge-2/temperature", "- fridge-2/door"]),
        (SITE, SITE.replace("60s", "30s"), ["~ fridge-1/temperature"]),
        (SITE, SITE.replace("title: Fridge", "title: Fridge by the door"), ["~ titles, areas or other properties"]),
        (SITE, SITE.replace("title: Kitchen", "title: Big kitchen"), ["~ titles, areas or other properties"]),
        (SITE, SITE.replace("title: School", "title: The school"), ["~ titles, areas or other properties"]),
        (SITE, "# a comment\n" + SITE, []),
        (SITE, SITE.split("assets:")[0] + "assets: []\n", ["- fridge-1/temperature"]),
    ],
)  # fmt: skip
def test_the_difference_names_points_and_misses_nothing(before: str | None, after: str, lines: list[str]) -> None:
    old = load_catalogue(before, "before") if before else None
    assert difference(old, load_catalogue(after, "after")) == lines


def refuse(place: Place, *letters: DeadLetter) -> None:
    with place.store() as store:
        epoch = store.acquire("school", "worker", NOW, 1000)
        assert epoch is not None
        store.commit(Commit("school", "worker", epoch, NOW, dead_letters=letters))


def test_nothing_refused_is_said(place: Place) -> None:
    assert place.lines("dead-letters") == ["Nothing was refused."]


def test_refused_messages_newest_first_with_reason_and_beginning(applied: Place) -> None:
    refuse(
        applied,
        DeadLetter("school", NOW, "caretaker/1/school/agents/a/readings", b"{not json", DeadReason.NOT_JSON, "no JSON"),
        DeadLetter("annex", NOW + 1000, "caretaker/1/annex/agents/b/readings", b"\xff" * 101, DeadReason.NOT_JSON, "x"),
    )
    lines = applied.lines("dead-letters")
    assert len(lines) == 6
    assert lines[0].split() == ["2", "2026-09-21T14:13:21.000Z", "not_json", "caretaker/1/annex/agents/b/readings"]
    assert lines[2].endswith("\\xff' …")
    assert lines[2].count("\\xff") == 100
    assert lines[4:] == ["    no JSON", "    b'{not json'"]
    assert len(applied.lines("dead-letters", "--site", "annex")) == 3
    assert len(applied.lines("dead-letters", "--limit", "1")) == 3
    assert applied.lines("dead-letters", "--site", "nowhere") == ["Nothing was refused."]


def test_a_message_cannot_steer_the_terminal(applied: Place) -> None:
    refuse(applied, DeadLetter("school", NOW, "t/\x1b[2J/校", b"\x1b", DeadReason.NOT_JSON, "bad\r\n\x07 detail"))
    said = applied.run("dead-letters").stdout
    assert "t/\\x1b[2J/校" in said
    assert "bad\\r\\n\\x07 detail" in said
    assert not {"\x1b", "\r", "\x07"} & set(said)


@pytest.mark.parametrize("limit", ["0", "10001", "many"])
def test_an_impossible_limit_is_a_usage_error(place: Place, limit: str) -> None:
    assert place.run("dead-letters", "--limit", limit).exit_code == 2


def test_doctor_prints_each_finding_and_counts_what_is_wrong(applied: Place) -> None:
    result = applied.run("doctor")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "WRONG  school: no rules, so no alarms" in lines
    assert lines[lines.index("WRONG  school: no rules, so no alarms") + 1] == (
        "         remedy: caretaker rules apply pack:cn-canteen --site school"
    )
    assert lines[-1] == "1 wrong."
    (applied.folder / "rules.yaml").write_text(RULES)
    applied.lines("rules", "apply", str(applied.folder / "rules.yaml"), "--site", "school")
    healed = applied.run("doctor")
    assert (healed.exit_code, healed.stdout.splitlines()[-1]) == (0, "Nothing is wrong.")
    assert "WRONG" not in healed.stdout


def test_a_backup_brings_everything_back(applied: Place) -> None:
    archive = applied.folder / "all.tar.gz"
    assert any("Backup written" in line for line in applied.lines("backup", str(archive)))
    applied.site.write_text(SITE + SECOND)
    applied.lines("site", "apply", str(applied.site))
    with pytest.raises(CaretakerError, match="not empty"):
        applied.run("restore", str(archive))
    assert "revision 2" in applied.lines("site", "list")[0]
    assert applied.lines("restore", str(archive), "--force", "--by", "wang")[0].startswith("Restored ")
    assert "revision 1" in applied.lines("site", "list")[0]
    with applied.store() as store:
        assert [entry["by"] for entry in store.audit("", 10)] == ["wang"]
        assert store.verify_audit("school") is None


def test_a_backup_of_nothing_and_a_restore_under_a_running_one_are_refused(place: Place) -> None:
    with pytest.raises(CaretakerError, match=r"no operational\.sqlite"):
        place.run("backup", str(place.folder / "all.tar"))
    (place.data / "run").mkdir(parents=True)
    (place.data / "run" / "supervisor.json").write_text(json.dumps({"pid": os.getppid(), "children": []}))
    with pytest.raises(CaretakerError, match=f"process {os.getppid()}") as caught:
        place.run("restore", str(place.folder / "all.tar"), "--force")
    assert "stop it first" in caught.value.remedy
