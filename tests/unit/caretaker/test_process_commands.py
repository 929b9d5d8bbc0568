"""`ps`, `up`, `demo`, `edge` and `broker` where they decide something themselves: ports, words, exit codes."""

import json
import os
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from caretaker.cli import build
from caretaker.commands import demo as demo_module
from caretaker.commands.demo import DEFAULT_SITE, Bar, free_port
from caretaker.commands.edge import SOURCES
from caretaker.commands.up import refuse_taken_port, start_core, wait_for_port
from caretaker.process import now_ms
from caretaker.settings import BrokerSettings, Settings, WebSettings
from caretaker.supervisor import ChildSpec, Supervisor, claim_run_dir, read_state, running_supervisor
from domain.errors import CaretakerError, InputError
from domain.records import ProcessRow
from store.operational.store import OperationalStore
from tests import support


def run(*words: str) -> Result:
    return CliRunner().invoke(build(), words, catch_exceptions=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "caretaker.toml"
    path.write_text('data_dir = "data"\n')
    return path


def leave_state(config: Path, **state: object) -> None:
    folder = config.parent / "data" / "run"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "supervisor.json").write_text(json.dumps({"pid": os.getpid(), **state}))


def child(name: str, pid: int | None, restarts: int = 0) -> dict[str, object]:
    return {"name": name, "pid": pid, "restarts": restarts, "last_exit": None, "command": ["x"]}


def beat(config: Path, name: str, info: str, ago: int = 2000) -> None:
    with closing(OperationalStore(f"sqlite:///{config.parent / 'data' / 'operational.sqlite'}")) as store:
        store.beat(ProcessRow(name, 7, now_ms() - 60_000, now_ms() - ago, info))


def test_ps_shows_children_with_their_signs_of_life_and_figures(config: Path) -> None:
    leave_state(config, children=[child("broker", os.getppid()), child("ingest", os.getpid(), 3)])
    beat(config, "ingest", '{"readings": 12, "connected": true, "sites": ["school"]}')
    result = run("ps", "--config", str(config))
    assert result.exit_code == 0
    head, broker, ingest = result.stdout.splitlines()
    assert head.split() == ["process", "pid", "state", "restarts", "last", "sign", "figures"]
    assert broker.split() == ["broker", str(os.getppid()), "running", "0", "-"]
    assert ingest.split()[:4] == ["ingest", str(os.getpid()), "running", "3"]
    assert ingest.endswith("2 s ago  readings 12, connected True")


def test_ps_fails_when_a_child_is_not_running(config: Path) -> None:
    leave_state(config, children=[child("web", None, 5), child("notify", 999_999_999)])
    result = run("ps", "--config", str(config))
    assert result.exit_code == 1
    assert [line.split()[:3] for line in result.stdout.splitlines()[1:]] == [
        ["web", "-", "stopped"], ["notify", "999999999", "stopped"],
    ]  # fmt: skip


@pytest.mark.parametrize("info", ["not json", "[1]", "", "3", "null"])
def test_ps_shows_figures_of_another_form_as_they_are(config: Path, info: str) -> None:
    leave_state(config, children=[child("web", os.getpid())])
    beat(config, "web", info)
    result = run("ps", "--config", str(config))
    assert (result.exit_code, result.stdout.splitlines()[1].endswith(f"s ago  {info}")) == (0, True)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": null}', '{"pid": 999999999}'])
def test_ps_after_a_crash_says_that_nothing_runs(config: Path, content: str) -> None:
    leave_state(config)
    (config.parent / "data" / "run" / "supervisor.json").write_text(content)
    result = run("ps", "--config", str(config))
    assert (result.exit_code, "does not run on" in result.stdout) == (1, True)


def test_ps_on_a_state_without_children_is_an_empty_list(config: Path) -> None:
    leave_state(config)
    assert len(run("ps", "--config", str(config)).stdout.splitlines()) == 1


def test_a_process_number_that_another_program_has_got_is_nobody(tmp_path: Path) -> None:
    began = {"pid": os.getppid(), "began": "the boot before this one 4711", "children": []}
    (tmp_path / "supervisor.json").write_text(json.dumps(began))
    assert running_supervisor(tmp_path) is None
    claim_run_dir(tmp_path)
    assert running_supervisor(tmp_path) == os.getpid()
    assert read_state(tmp_path)["children"] == []


def test_a_claimed_folder_is_taken_at_once_and_one_may_claim_it_again(tmp_path: Path) -> None:
    claim_run_dir(tmp_path / "data" / "run")
    assert running_supervisor(tmp_path / "data" / "run") == os.getpid()
    claim_run_dir(tmp_path / "data" / "run")


def test_a_folder_that_cannot_be_claimed_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(CaretakerError, match="cannot be written: Not a directory"):
        claim_run_dir(tmp_path / "data" / "run")


def test_a_state_file_that_cannot_be_written_ends_nobody(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    said: list[str] = []
    keeper = Supervisor(tmp_path / "data" / "run", {}, said.append)
    keeper.add(ChildSpec("sleeper", ["sleep", "60"]))
    assert keeper.pid("sleeper") is not None
    assert "cannot be written: Not a directory" in said[0]
    keeper.stop()
    assert keeper.pid("sleeper") is None


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_a_taken_port_is_refused_with_the_setting_to_change(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with server:
        port = server.getsockname()[1]
        with pytest.raises(CaretakerError, match="in use") as caught:
            refuse_taken_port(port, "web.port", host)
        assert caught.value.remedy == "stop the other program or set web.port"
    refuse_taken_port(port, "web.port", host)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CaretakerError, match=r"192\.0\.2\.1"):
        refuse_taken_port(support.free_port(), "web.port", "192.0.2.1")


def test_waiting_for_a_port_ends_when_somebody_listens_or_patience_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert wait_for_port("127.0.0.1", server.getsockname()[1], lambda: False)
    port = support.free_port()
    assert not wait_for_port("127.0.0.1", port, lambda: False, patience=0.1)
    begun = time.monotonic()
    assert not wait_for_port("127.0.0.1", port, lambda: True, patience=60)
    assert time.monotonic() - begun < 1


def test_the_first_free_port_passes_over_taken_ones() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        chosen = free_port(taken)
    assert chosen > taken
    refuse_taken_port(chosen, "x")


def test_when_no_port_is_free_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(probe: socket.socket, address: object) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(CaretakerError, match="no free port from 8420 to 8619"):
        free_port(8420)


class Recorder(Supervisor):
    """Notes what would be started."""

    def add(self, spec: ChildSpec, *, start: bool = True) -> None:
        self.say(f"{spec.name}: {' '.join(spec.command[3:])} -> {spec.log}")


def core(folder: Path, settings: Settings, config: Path | None, logs: Path | None) -> list[str]:
    said: list[str] = []
    start_core(Recorder(folder, {}, said.append), settings, config, lambda: True, logs)
    return said


def test_the_core_is_broker_ingest_web_and_notify_in_this_order(tmp_path: Path) -> None:
    settings = Settings(broker=BrokerSettings(port=support.free_port()), web=WebSettings(port=support.free_port()))
    assert core(tmp_path, settings, tmp_path / "c.toml", tmp_path / "logs") == [
        f"{name}: {name} --config {tmp_path}/c.toml -> {tmp_path}/logs/{name}.log"
        for name in ("broker", "ingest", "web", "notify")
    ]
    own = settings.model_copy(update={"broker": BrokerSettings(url="mqtt://elsewhere")})
    assert core(tmp_path, own, None, None) == [f"{name}: {name} -> None" for name in ("ingest", "web", "notify")]


def test_up_refuses_a_taken_port_and_leaves_no_child(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        settings = Settings(broker=BrokerSettings(port=taken), web=WebSettings(port=support.free_port()))
        with pytest.raises(CaretakerError, match=r"(?s)in use.*broker\.port"):
            core(tmp_path, settings, None, None)
        settings = Settings(broker=BrokerSettings(url="mqtt://x"), web=WebSettings(port=taken))
        with pytest.raises(CaretakerError, match=r"(?s)in use.*web\.port"):
            core(tmp_path, settings, None, None)


def test_up_with_a_bad_site_file_starts_nothing(config: Path) -> None:
    config.write_text('data_dir = "data"\nsites = ["site.yaml"]\n')
    (config.parent / "site.yaml").write_text("site: {id: School}\n")
    with pytest.raises(InputError, match=r"site\.yaml:1"):
        run("up", "--config", str(config))
    assert read_state(config.parent / "data" / "run")["children"] == []


def test_up_twice_on_one_folder_is_refused(config: Path) -> None:
    leave_state(config)
    (config.parent / "data" / "run" / "supervisor.json").write_text(json.dumps({"pid": os.getppid()}))
    with pytest.raises(CaretakerError, match=r"runs on .* already"):
        run("up", "--config", str(config))


@pytest.mark.parametrize("words", [("--for", "ninety"), ("--for", "90")])
def test_demo_refuses_a_duration_that_is_none(tmp_path: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(CaretakerError, match="--for"):
        run("demo", "--data-dir", str(tmp_path / "demo"), *words)
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("words", [("--days", "0"), ("--days", "61"), ("--port", "70000"), ("--seed", "-1")])
def test_demo_refuses_numbers_out_of_range(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert run("demo", "--data-dir", str(tmp_path / "demo"), *words).exit_code == 2
    assert not (tmp_path / "demo").exists()


def test_the_demonstration_s_site_is_part_of_the_installation() -> None:
    assert DEFAULT_SITE.is_file()
    assert (DEFAULT_SITE.parent / "scenarios" / "demo.yaml").is_file()


def bar_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_without_a_terminal_the_bar_is_a_few_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar()
    bar.begin(4000)
    for done in range(0, 4001, 10):
        bar.show(done)
    bar.end()
    bar.end()
    lines = bar_lines(capsys)
    assert lines[0] == "history: 0 % of 4,000 readings"
    assert 4 <= len(lines) <= 5


def test_a_bar_of_nothing_says_nothing_and_words_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar()
    bar.begin(0)
    bar.show(0)
    bar.end()
    bar.say("[bold]kept[/bold] " + "long " * 60)
    assert bar_lines(capsys) == ["[bold]kept[/bold] " + "long " * 60]


def test_on_a_terminal_the_bar_moves_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    bar = demo_module.Bar()
    bar.begin(100)
    bar.show(50)
    task = bar._bar.tasks[0]
    assert (task.completed, task.total) == (50, 100)
    bar.end()
    assert bar._bar.live.is_started is False


def test_edge_check_opens_the_simulated_source_and_tells_whom_it_serves(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(
        'site = "school"\nagent = "canteen"\nbroker = "mqtt://li:secret@127.0.0.1"\ndata_dir = "box"\n'
        f'[[source]]\nkind = "simulated"\nsite = {json.dumps(str(DEFAULT_SITE))}\nagent = "canteen"\n'
    )
    result = run("edge", "--config", str(path), "--check")
    assert (result.exit_code, "agent canteen of site school" in result.stdout) == (0, True)
    assert "secret" not in result.output
    assert set(SOURCES) == {"simulated"}


def test_edge_refuses_a_level_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(CaretakerError, match="--log-level loud"):
        run("edge", "--config", str(tmp_path / "absent.toml"), "--log-level", "loud")
