"""The benchmark's processes: pinned, ended, explained when they fail; the load arrives whole at real servers."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from caretaker.bench import bench as shared
from caretaker.bench import consumers, site
from caretaker.bench.agent import drain_configuration, live_configuration, temperatures
from caretaker.bench.children import Child, module
from caretaker.bench.installation import Installation
from caretaker.bench.latency import Watch
from caretaker.bench.line_writer import bodies, post
from caretaker.bench.load import LOOK_SECONDS, full_speed, generator, steady
from caretaker.bench.machine import two_cores
from caretaker.bench.packets import Load
from caretaker.bench.plan import QUICK, Part
from caretaker.bench.publisher import Orders
from caretaker.bench.run import measure
from caretaker.bench.servers import influxdb, mosquitto, wait_for
from caretaker.cli import main
from domain.errors import CaretakerError
from edge.run import check
from tests.support import needs

pytestmark = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2 if hasattr(os, "sched_getaffinity") else True, reason="needs Linux and two cores"
)
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_runs_on_its_core_and_ends_with_its_context(tmp_path: Path) -> None:
    core = two_cores().consumer
    with Child(SLEEP, core, tmp_path / "log") as child:
        assert os.sched_getaffinity(child.pid) == {core}
        assert child.running()
        assert child.cpu_seconds() >= 0
        assert child.rss_mb() > 0
    assert not child.running()
    assert not alive(child.pid)


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caretaker.bench.children.GRACE_SECONDS", 0.2)
    said = bytearray()
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    )
    with Child([sys.executable, "-c", code], two_cores().load, tmp_path / "log", said.extend) as child:
        wait_for(lambda: b"ready" in said, 20, "it runs", child)
    assert not alive(child.pid)


def test_a_failure_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such luck')"]
    with Child(command, two_cores().load, tmp_path / "log") as child:
        with pytest.raises(CaretakerError, match="no such luck"):
            wait_for(lambda: False, 20, "never", child)
        with pytest.raises(CaretakerError, match="ended with 1"):
            child.wait(5)


def test_waiting_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(CaretakerError, match=r"in vain: the moon"):
        wait_for(lambda: False, 0.05, "the moon", every=0.01)
    with (
        Child(SLEEP, two_cores().load, tmp_path / "log") as child,
        pytest.raises(CaretakerError, match="did not end within"),
    ):
        child.wait(0.05)


@pytest.mark.integration
def test_a_steady_load_arrives_whole_and_on_time(tmp_path: Path) -> None:
    needs("mosquitto", "mosquitto")
    cores = two_cores()
    with mosquitto(tmp_path, cores.load) as port, consumers.paho(tmp_path, port, cores.consumer) as paho:
        load = Load(site.SITE, "b1", 2, 10, 1)
        phase = steady(port, cores.load, tmp_path, load, 300, 1.0, paho.taken)
        assert (phase.taken, phase.rate) == (300, 300)
        base = paho.taken()
        about = full_speed(port, cores.load, tmp_path, Load(site.SITE, "b2", 2, 10, 1), 200, paho.taken)
        assert 0 < about <= 200 / LOOK_SECONDS
        assert paho.taken() - base == 200, "nothing of it is left for the next phase"
        assert steady(port, cores.load, tmp_path, load, 300, 30.0, lambda: 0, give_up=0.1).taken == 0


@pytest.mark.integration
def test_what_is_sent_at_full_speed_is_stored_once(tmp_path: Path) -> None:
    needs("mosquitto", "mosquitto")
    cores, looks = two_cores(), []
    with mosquitto(tmp_path, cores.load) as port, consumers.caretaker(tmp_path, port, cores.consumer, 60, 30) as ours:
        orders = Orders(port, Load(site.SITE, "b1", 2, 30, 30), 40, 0, 0, 1_760_000_000_000, 1_000)
        with generator(orders, cores.load, tmp_path) as child:
            child.wait(30)
        wait_for(lambda: ours.taken() >= 1_200, 30, "all of it is stored", ours.child)
        phase = steady(
            port,
            cores.load,
            tmp_path,
            Load(site.SITE, "b2", 2, 30, 1),
            100,
            1.0,
            ours.taken,
            watch=lambda: looks.append(1),
        )
        assert ours.taken() == 1_300
    assert phase.taken == 100
    assert looks


@pytest.mark.integration
def test_transitions_are_seen_when_they_are_committed(tmp_path: Path) -> None:
    needs("mosquitto", "mosquitto")
    cores = two_cores()
    with mosquitto(tmp_path, cores.load) as port:
        installation = Installation(tmp_path, port, "sqlite", 10, 5, instant=True)
        with installation.running(cores.consumer), Watch(installation) as watch:
            load = Load(site.SITE, "b1", installation.agents, 5, 5, hot_every=4)
            steady(port, cores.load, tmp_path, load, 20, 2.0, lambda: installation.taken("b1"))
            wait_for(lambda: installation.stored() and len(installation.transitions(0)) > 2, 20, "transitions")
            assert installation.info()["dead_letters"] == {}
        assert min(watch.latencies()) >= 0
        installation.close()


def test_no_transition_is_an_error_and_not_a_figure(tmp_path: Path) -> None:
    installation = Installation(tmp_path, 1, "sqlite", 10, 5, instant=True)
    with pytest.raises(CaretakerError, match="no transition"), Watch(installation) as watch:
        watch.latencies()
    installation.close()


@pytest.mark.integration
def test_the_peers_lines_are_taken_by_a_real_influxdb(tmp_path: Path) -> None:
    needs("influxd", "influxdb")
    with influxdb(tmp_path, two_cores().load) as port:
        made = list(bodies(60, 6_000, time.time_ns() // 1_000_000))
        assert post(port, "bench", made) > 0
        with pytest.raises(OSError, match="InfluxDB answered 404"):
            post(port, "another", made[:1])


def test_the_agents_of_the_benchmark_are_configured_as_any_other(tmp_path: Path) -> None:
    live = check(live_configuration(tmp_path, 1884, 7, tmp_path / "sensors"), {})
    assert (live.agent, live.sample_interval, len(live.sources)) == ("a0", 1_000, 1)
    held = check(drain_configuration(tmp_path, 1884, 7, 2, 1_760_000_000_000), {})
    assert held.outbox_bytes > 1 << 30
    assert len(set(temperatures(7))) == 7
    assert all(name.endswith("temperature") for name in temperatures(7))


def test_a_run_leaves_no_folder_behind_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("caretaker.bench.machine.program", lambda name: name)
    before, cores = os.sched_getaffinity(0), []

    def part(given: shared.Bench) -> dict[str, float]:
        assert given.folder("x").is_dir()
        cores.append(os.sched_getaffinity(0))
        return {"p50_ms": 5.0, "p99_ms": 9.0}

    monkeypatch.setattr("caretaker.bench.run.PARTS", {Part.LATENCY: part})
    said = measure(QUICK, [Part.LATENCY], "json", None, tmp_path / "data")
    assert said.replace(" ", "").replace("\n", "") == '{"latency":{"p50_ms":5.0,"p99_ms":9.0}}'
    assert list((tmp_path / "data").iterdir()) == []
    assert cores == [{two_cores().load}]
    assert os.sched_getaffinity(0) == before
    page = tmp_path / "page.md"
    page.write_text("<!-- generated: figures -->\n<!-- end of generated: figures -->\n")
    assert "| latency | 99 of 100 within: ms | 9 |" in measure(QUICK, [Part.LATENCY], "table", page, tmp_path)
    assert "| latency | 99 of 100 within: ms | 9 |" in page.read_text()


def test_a_stopped_run_keeps_its_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caretaker.bench.machine.program", lambda name: name)

    def part(_: shared.Bench) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        return {}

    monkeypatch.setattr("caretaker.bench.run.PARTS", {Part.LATENCY: part})
    with pytest.raises(KeyboardInterrupt):
        measure(QUICK, [Part.LATENCY], "json", None, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(("words", "said"), [(["--only", "speed"], "no part speed"), (["--format", "xml"], "xml")])
def test_wrong_words_are_explained(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["caretaker", "bench", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_module_is_run_with_this_python() -> None:
    assert module("caretaker", "ps") == [sys.executable, "-m", "caretaker", "ps"]
