"""The command line as a whole: complete, light for the agent, and in words where a person can mend something."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caretaker import cli
from caretaker.cli import COMMANDS, GROUPS, SERVER_PARTS, build, main
from caretaker.output import printable
from domain.errors import CaretakerError

FOLDER = Path(cli.__file__).parent / "commands"
ROOT = FOLDER.parents[1]


def as_words(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["caretaker", *words])


def test_every_module_of_commands_is_registered() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert modules == {module for module, _ in (*COMMANDS.values(), *GROUPS.values())}


def test_every_command_and_group_has_help(monkeypatch: pytest.MonkeyPatch) -> None:
    app = build()
    whole = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout
    for name, (module, function) in COMMANDS.items():
        assert name in whole
        document = getattr(importlib.import_module(f"caretaker.commands.{module}"), function).__doc__
        said = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})
        assert said.exit_code == 0
        assert document.split("\n")[0].split(";")[0] in said.stdout, name
    for name, (module, group) in GROUPS.items():
        assert name in whole
        typer_group = getattr(importlib.import_module(f"caretaker.commands.{module}"), group)
        for command in typer_group.registered_commands:
            assert command.callback.__doc__, f"{name} {command.name}"


def test_building_twice_gives_two_equal_command_lines() -> None:
    first, second = build(), build()
    assert first is not second
    assert len(first.registered_commands) == len(second.registered_commands) == len(COMMANDS)


def test_without_words_the_help_is_shown() -> None:
    result = CliRunner().invoke(build(), [])
    assert "doctor" in result.output
    assert "Usage" in result.output


def test_a_mistake_that_a_person_can_mend_is_exit_code_2_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    as_words(monkeypatch, "site", "apply", str(tmp_path / "absent.yaml"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"caretaker: {tmp_path}/absent.yaml: cannot be read: No such file")
    assert "\n  remedy: check the path" in said.err


@pytest.mark.parametrize("part", ["amqtt", "numpy", "pydantic_settings", "sqlalchemy.engine", "uvicorn", "vl_convert"])
def test_on_a_bare_agent_a_server_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    def missing() -> None:
        raise ModuleNotFoundError(f"No module named {part!r}", name=part)

    monkeypatch.setattr(cli, "build", lambda: missing)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"({part} is missing)\n  remedy: pip install 'caretaker[server]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("No module named 'edge.runn'", name="edge.runn"), ZeroDivisionError("a defect")]
)
def test_a_defect_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr(cli, "build", lambda: broken)
    with pytest.raises(type(error)):
        main()


def test_an_error_without_a_remedy_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise CaretakerError("--for: 'x' is no duration")

    monkeypatch.setattr(cli, "build", lambda: refuse)
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == "caretaker: --for: 'x' is no duration\n"


LIGHT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        # typer itself brings pydantic and rich: what the agent does without are the others.
        if name.split(".")[0] in {parts!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv = ["caretaker", *{words!r}]
from caretaker.cli import main
try:
    main()
finally:
    own = {{name.split(".")[0] for name in sys.modules}}
    assert not own & {{"store", "api", "ingest", "rules", "notify", "simulators"}}, own
"""


def on_a_bare_agent(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where nothing of `caretaker[server]` can be imported but what typer needs."""
    parts = sorted(SERVER_PARTS - {"pydantic", "rich"})
    script = LIGHT.format(parts=parts, words=words)
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_agent_needs_nothing_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("time,point,value\n2026-03-01T08:00:00Z,a/temperature,4\n")
    (tmp_path / "a.toml").write_text(
        'site = "school"\nagent = "a"\nbroker = "mqtt://127.0.0.1"\ndata_dir = "box"\n'
        '[[source]]\nkind = "csv"\npath = "r.csv"\n'
    )
    shown = on_a_bare_agent("edge", "--help")
    assert (shown.returncode, "--config" in shown.stdout) == (0, True), shown.stderr
    checked = on_a_bare_agent("edge", "--config", str(tmp_path / "a.toml"), "--check")
    assert (checked.returncode, "agent a of site school" in checked.stdout) == (0, True), checked.stderr


@pytest.mark.parametrize("words", [("broker",), ("doctor",)])
def test_a_server_command_on_a_bare_agent_names_the_extra(words: tuple[str, ...]) -> None:
    result = on_a_bare_agent(*words)
    assert (result.returncode, "caretaker[server]" in result.stderr) == (2, True), result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("校 °C", "校 °C"), ("\x1b[31m", "\\x1b[31m"), ("a\nb\tc", "a\\nb\\tc"), ("", ""),
     ("\u202e", "\\u202e"), ("\ud800", "\\ud800"), ("\x9b", "\\x9b")],
)  # fmt: skip
def test_foreign_text_is_shown_without_effect(text: str, shown: str) -> None:
    assert printable(text) == shown
