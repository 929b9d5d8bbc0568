"""The installed command, as a person meets it: help, mistakes, exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CARETAKER = str(Path(sys.executable).with_name("caretaker"))
SITE = ROOT / "examples" / "school" / "site.yaml"

BAD_RULE = "rules:\n  - id: hot\n    applies_to: {metric: temperature}\n    condition: {abov: 8}\n    priority: high\n"


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CARETAKER, *words], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_help_names_every_command(tmp_path: Path) -> None:
    result = run("--help", cwd=tmp_path)
    assert result.returncode == 0
    for command in ("demo", "up", "ps", "doctor", "edge", "ingest", "web", "notify", "broker", "simulate", "backtest",
                    "dead-letters", "backup", "restore", "site", "rules"):  # fmt: skip
        assert command in result.stdout


@pytest.mark.parametrize(
    ("words", "name", "text", "line", "remedy"),
    [
        (("site", "apply", "x.yaml"), "x.yaml", "site: {id: School}\n", 1, "use 1 to 63"),
        (("rules", "check", "x.yaml"), "x.yaml", BAD_RULE, 4, "did you mean 'above'"),
        (("edge", "--config", "x.toml"), "x.toml", 'site = "school"\nagnt = "a"\n', 2, "agent"),
        (("up", "--config", "x.toml"), "x.toml", "[web]\nport = 'x'\n", 2, "docs/settings.md"),
        (("doctor", "--config", "x.toml"), "x.toml", "[web\n", 1, "brackets"),
        (("backtest", "--rules", "x.yaml", "--readings", "y.csv"), "x.yaml", BAD_RULE, 4, "above"),
        (("simulate", "--site", str(SITE), "--scenario", "x.yaml", "--days", "1", "--out", "o"), "x.yaml",
         "faults:\n  - {kind: compresor_failure, target: fridge-1, start: 1h}\n", 2, "compressor_failure"),
    ],
)  # fmt: skip
def test_a_bad_file_gives_file_line_and_remedy_and_exit_code_2(
    tmp_path: Path, words: tuple[str, ...], name: str, text: str, line: int, remedy: str
) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "y.csv").write_text("time,point,value\n")
    result = run(*words, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert f"{name}:{line}" in result.stderr
    assert remedy in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


@pytest.mark.parametrize(
    "words",
    [("site", "apply", "absent.yaml"), ("edge", "--config", "absent.toml"), ("rules", "check", "absent.yaml"),
     ("backtest", "--rules", "absent.yaml", "--readings", "absent.csv"), ("up", "--config", "absent.toml"),
     ("demo", "--for", "ninety"), ("site", "commission", "nowhere"), ("restore", "absent.tar")],
)  # fmt: skip
def test_what_is_not_there_is_said_without_a_traceback(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = run(*words, cwd=tmp_path)
    assert result.returncode == 2, (result.stdout, result.stderr)
    assert "Traceback" not in result.stderr


def test_a_site_is_applied_listed_and_commissioned(tmp_path: Path) -> None:
    first = run("site", "apply", str(SITE), cwd=tmp_path)
    assert (first.returncode, "+ fridge-1/temperature" in first.stdout) == (0, True), first.stderr
    again = run("site", "apply", str(SITE), cwd=tmp_path)
    assert "revision 1, nothing changed" in again.stdout
    assert "revision 1  live since" in run("site", "list", cwd=tmp_path).stdout
    assert run("site", "commission", "school", "--off", cwd=tmp_path).returncode == 0
    assert "not live yet" in run("site", "list", cwd=tmp_path).stdout
    smaller = tmp_path / "smaller.yaml"
    smaller.write_text(SITE.read_text().split("\nassets:")[0] + "\n")
    refused = subprocess.run(
        [CARETAKER, "site", "apply", str(smaller)],
        cwd=tmp_path,
        input="n\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (refused.returncode, "- fridge-1/temperature" in refused.stdout) == (1, True)
    assert run("site", "apply", str(smaller), "--yes", cwd=tmp_path).returncode == 0


def test_doctor_says_what_is_missing_in_words(tmp_path: Path) -> None:
    result = run("doctor", cwd=tmp_path)
    assert result.returncode == 1
    assert "no site is described" in result.stdout
    assert "caretaker site apply" in result.stdout


def test_ps_says_that_nothing_runs(tmp_path: Path) -> None:
    result = run("ps", cwd=tmp_path)
    assert (result.returncode, "does not run" in result.stdout) == (1, True)
