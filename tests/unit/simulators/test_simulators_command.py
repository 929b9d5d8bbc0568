"""`caretaker simulate` as a person runs it: files, one line each, and mistakes answered with a remedy."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from caretaker.commands.simulate import simulate
from domain.errors import CaretakerError

EXAMPLE = Path(__file__).parents[3] / "examples" / "school"


def call(*arguments: str) -> tuple[int, str, BaseException | None]:
    app = typer.Typer()
    app.command()(simulate)
    result = CliRunner().invoke(app, ["--site", str(EXAMPLE / "site.yaml"), *arguments])
    return result.exit_code, result.stdout, result.exception


def test_it_writes_both_files_and_says_where(tmp_path: Path) -> None:
    scenario = str(EXAMPLE / "scenarios" / "first-week.yaml")
    code, output, _ = call("--out", str(tmp_path / "run"), "--days", "0.01", "--scenario", scenario)
    assert code == 0
    assert "readings.csv" in output.replace("\n", "")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["readings.csv", "truth.json"]


def test_the_start_is_fixed_and_can_be_chosen(tmp_path: Path) -> None:
    call("--out", str(tmp_path), "--days", "0.01", "--interval", "5min")
    lines = (tmp_path / "readings.csv").read_text().splitlines()
    assert lines[1].startswith("2026-03-01T16:00:00.000Z,")
    call("--out", str(tmp_path), "--days", "0.01", "--interval", "5min", "--start", "2026-05-01T00:00:00Z")
    lines = (tmp_path / "readings.csv").read_text().splitlines()
    assert lines[1].startswith("2026-05-01T00:00:00.000Z,")
    assert lines[-1].startswith("2026-05-01T00:10:00.000Z,")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--scenario", "nowhere.yaml"), "nowhere.yaml cannot be read"),
        (("--interval", "5"), "--interval"),
        (("--interval", "10ms"), "too short"),
        (("--start", "tomorrow"), "--start"),
    ],
)
def test_a_mistake_is_a_message_and_leaves_no_files(tmp_path: Path, arguments: tuple[str, ...], complaint: str) -> None:
    code, _, error = call("--out", str(tmp_path / "run"), *arguments)
    assert code != 0
    assert isinstance(error, CaretakerError)
    assert complaint in error.message
    assert not (tmp_path / "run").exists()
