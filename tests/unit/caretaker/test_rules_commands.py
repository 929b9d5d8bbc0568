"""`caretaker rules` and `caretaker backtest` as functions: what is printed, what is stored, which exit code."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from caretaker.cli import build
from caretaker.commands.rules import apply_documents
from caretaker.rule_files import load_rule_files, read_document
from domain.errors import CaretakerError, InputError, NotFoundError
from rules.packs import load_pack_text
from store.operational.store import OperationalStore

ROOT = Path(__file__).parents[3]
SITE = ROOT / "examples" / "school" / "site.yaml"
OWN = ROOT / "examples" / "rules"

WARM = "rules:\n  - {id: warm, applies_to: {metric: temperature}, condition: {above: 8}, priority: high}\n"
READINGS = "time,point,value\n2026-03-01T08:00:00Z,a/temperature,9\n2026-03-01T08:01:00Z,a/temperature,4\n"


def run(*words: str) -> Result:
    return CliRunner().invoke(build(), words)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "warm.yaml").write_text(WARM)
    (tmp_path / "r.csv").write_text(READINGS)
    return tmp_path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OperationalStore]:
    opened = OperationalStore(f"sqlite:///{tmp_path / 'ops.db'}")
    opened.apply_site("school", (("site.yaml", SITE.read_text(encoding="utf-8")),), "tester", 1)
    yield opened
    opened.close()


def test_a_backtest_prints_one_json_line_per_transition(files: Path) -> None:
    result = run(
        "backtest", "--rules", str(files / "warm.yaml"), "--readings", str(files / "r.csv"), "--format", "jsonl"
    )
    assert (result.exit_code, result.stderr) == (0, "")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first == {
        "rule": "warm", "point": "a/temperature", "from": "normal", "to": "unacknowledged", "reason": "above_limit",
        "priority": "high", "value": 9.0, "at": "2026-03-01T08:00:00.000Z", "detected_at": "2026-03-01T08:00:00.000Z",
        "retroactive": False,
    }  # fmt: skip
    assert (second["to"], second["reason"]) == ("returned-unacknowledged", "within_limit")


def test_a_table_for_people(files: Path) -> None:
    result = run(
        "backtest", "--rules", str(files / "warm.yaml"), "--readings", str(files / "r.csv"), "--format", "table"
    )
    assert "normal -> unacknowledged" in result.stdout
    assert result.stdout.splitlines()[-1] == "2 transitions"


def test_from_and_to_bound_the_readings(files: Path) -> None:
    words = ("backtest", "--rules", str(files / "warm.yaml"), "--readings", str(files / "r.csv"))
    assert run(*words, "--from", "2026-03-01T08:01:00Z").stdout == ""
    assert len(run(*words, "--to", "2026-03-01T08:01:00Z").stdout.splitlines()) == 1
    with pytest.raises(CaretakerError, match="--from: 'noon'"):
        CliRunner().invoke(build(), [*words, "--from", "noon"], catch_exceptions=False)


def test_several_rule_files_and_packs_are_one_set(files: Path) -> None:
    words = ("--rules", str(files / "warm.yaml"), "--rules", "pack:cn-canteen", "--readings", str(files / "r.csv"))
    result = run("backtest", *words)
    assert len(result.stdout.splitlines()) == 2
    assert "rule 'cold-storage-high': it selects by asset_type" in result.stderr
    assert "give --site" in result.stderr


def test_with_a_site_unknown_points_are_told(files: Path) -> None:
    words = ("--rules", "pack:facility-basic", "--readings", str(files / "r.csv"), "--site", str(SITE))
    result = run("backtest", *words)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 points of the readings are not in school: a/temperature" in result.stderr


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("r.csv", "time,point,value\nx,a/temperature,1\n", "r.csv:2: 'x' is neither RFC 3339"),
        ("r.csv", "", "r.csv:1: the file is empty"),
        ("warm.yaml", "rules: [{id: 1", "warm.yaml:1"),
    ],
)
def test_a_mistake_is_placed(files: Path, name: str, text: str, words: str) -> None:
    (files / name).write_text(text)
    command = ["backtest", "--rules", str(files / "warm.yaml"), "--readings", str(files / "r.csv")]
    with pytest.raises(InputError) as caught:
        CliRunner().invoke(build(), command, catch_exceptions=False)
    assert words in str(caught.value)


def test_files_that_cannot_be_read(files: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_document(str(files / "absent.yaml"))
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_document(str(files))
    (files / "warm.yaml").write_bytes(b"rules: []\n# 85\xb0\n")
    with pytest.raises(InputError, match=r"warm\.yaml:2: the file is not UTF-8"):
        load_rule_files([str(files / "warm.yaml")])
    with pytest.raises(InputError, match="cannot be read"):
        CliRunner().invoke(
            build(), ["backtest", "--rules", "pack:cn-canteen", "--readings", str(files / "no.csv")],
            catch_exceptions=False,
        )  # fmt: skip


def test_check_counts_rules_and_refuses_what_cannot_work_at_the_site(files: Path) -> None:
    result = run("rules", "check", "pack:cn-canteen", str(OWN / "own-fridge.yaml"), "--site", str(SITE))
    assert result.exit_code == 0
    assert "13 rules, no mistakes" in result.stdout
    assert "warning: rule 'hot-product-low'" in result.stderr
    (files / "warm.yaml").write_text(WARM.replace("{metric: temperature}", "{point: fridge-9/temperature}"))
    with pytest.raises(CaretakerError, match="1 of these do not fit the site school"):
        CliRunner().invoke(
            build(), ["rules", "check", str(files / "warm.yaml"), "--site", str(SITE)], catch_exceptions=False
        )


def test_test_says_ok_or_shows_the_difference_and_fails(files: Path) -> None:
    passed = run("rules", "test", str(OWN / "own-fridge.test.yaml"))
    assert passed.exit_code == 0
    assert "7 tests passed" in passed.stdout
    (files / "t.yaml").write_text(
        "rules: [warm.yaml, pack:facility-basic]\ntests:\n  - name: cold enough\n"
        "    series: [{point: a/temperature, values: 9}]\n    transitions: []\n"
    )
    failed = run("rules", "test", str(files / "t.yaml"), str(OWN / "own-fridge.test.yaml"))
    assert failed.exit_code == 1
    assert "FAIL" in failed.stdout
    assert "+ at 0s: warm of a/temperature: normal -> unacknowledged" in failed.stdout
    assert "8 tests, 1 failed" in failed.stdout


def test_packs_are_listed_and_shown() -> None:
    listed = run("rules", "packs").stdout
    assert [line.split()[0] for line in listed.splitlines()] == [
        "cn-canteen", "cold-machines", "facility-basic", "uk-food-safety", "us-food-code",
    ]  # fmt: skip
    assert run("rules", "show", "cn-canteen").stdout == load_pack_text("cn-canteen")
    assert run("rules", "show", "pack:cn-canteen").stdout == load_pack_text("cn-canteen")


def test_apply_shows_what_changes_and_stores_a_revision(
    store: OperationalStore, capsys: pytest.CaptureFixture[str]
) -> None:
    warm = [("warm.yaml", WARM)]
    apply_documents(store, "school", warm, "tester", 10, yes=False)
    assert capsys.readouterr().out.splitlines() == ["+ warm", "school: rules revision 1"]
    apply_documents(store, "school", warm, "tester", 11, yes=False)
    assert capsys.readouterr().out.splitlines() == ["school: rules revision 1, nothing changed"]
    changed = WARM.replace("above: 8", "above: 9").replace("high", "low")
    second = "rules:\n  - {id: cold, applies_to: {metric: temperature}, condition: {below: 0}, priority: low}\n"
    apply_documents(store, "school", [("warm.yaml", changed), ("cold.yaml", second)], "tester", 12, yes=False)
    assert capsys.readouterr().out.splitlines() == ["+ cold", "~ warm: levels", "school: rules revision 2"]
    apply_documents(store, "school", [("cold.yaml", second)], "tester", 13, yes=True)
    assert capsys.readouterr().out.splitlines() == ["- warm", "school: rules revision 3"]
    kept = store.rules_revision("school")
    assert kept is not None
    assert (kept.documents, kept.applied_by) == ((("cold.yaml", second),), "tester")


def test_nothing_is_stored_when_something_is_wrong(store: OperationalStore) -> None:
    stranger = WARM.replace("{metric: temperature}", "{point: fridge-9/temperature}")
    with pytest.raises(CaretakerError, match="do not fit"):
        apply_documents(store, "school", [("w.yaml", stranger)], "tester", 10, yes=True)
    with pytest.raises(InputError, match="defined twice"):
        apply_documents(store, "school", [("a.yaml", WARM), ("b.yaml", WARM)], "tester", 10, yes=True)
    with pytest.raises(CaretakerError, match="two files have one name"):
        apply_documents(store, "school", [("a.yaml", WARM), ("a.yaml", "rules: []\n")], "tester", 10, yes=True)
    with pytest.raises(NotFoundError, match="known: school"):
        apply_documents(store, "shcool", [("w.yaml", WARM)], "tester", 10, yes=True)
    assert store.rules_revision("school") is None


def test_removing_rules_asks_first(store: OperationalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    apply_documents(store, "school", [("warm.yaml", WARM)], "tester", 10, yes=False)
    monkeypatch.setattr(typer, "confirm", lambda question: False)
    with pytest.raises(typer.Exit):
        apply_documents(store, "school", [("none.yaml", "rules: []\n")], "tester", 11, yes=False)
    kept = store.rules_revision("school")
    assert kept is not None
    assert kept.number == 1


LEGAL = WARM.replace("priority: high}", "priority: high, basis: {kind: legal, document: The book}}")


def test_a_legal_limit_is_not_loosened_without_a_reason(store: OperationalStore) -> None:
    apply_documents(store, "school", [("warm.yaml", LEGAL)], "tester", 10, yes=True)
    looser = [("warm.yaml", LEGAL.replace("above: 8", "above: 9"))]
    with pytest.raises(CaretakerError, match="the limit above 8 becomes 9") as caught:
        apply_documents(store, "school", looser, "tester", 11, yes=True)
    assert "--loosen-legal" in caught.value.remedy
    kept = store.rules_revision("school")
    assert kept is not None
    assert kept.number == 1


def test_the_reason_for_loosening_a_legal_limit_is_audited(
    store: OperationalStore, capsys: pytest.CaptureFixture[str]
) -> None:
    apply_documents(store, "school", [("warm.yaml", LEGAL)], "tester", 10, yes=True)
    looser = [("warm.yaml", LEGAL.replace("above: 8", "above: 9"))]
    apply_documents(store, "school", looser, "tester", 11, yes=True, loosen="the book says 9")
    assert "loosened: warm.yaml:2:10: rule 'warm': the limit above 8 becomes 9 (The book)" in capsys.readouterr().out
    newest = store.audit("school", 1)[0]
    assert newest["by"] == "tester; a legal limit is loosened because: the book says 9"
