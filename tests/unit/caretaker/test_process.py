"""What every process does at its start: logs, signals, ending with its parent."""

import json
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import structlog

from caretaker.process import now_ms, set_up_logging, stop_on_signals, switch_often
from caretaker.supervisor import alive


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def signals_restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_clock_is_utc_milliseconds() -> None:
    assert abs(now_ms() - time.time() * 1000) < 1000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_to_stop(signals_restored: None, number: signal.Signals) -> None:
    stop = stop_on_signals()
    assert not stop.is_set()
    signal.raise_signal(number)
    assert stop.is_set()


def test_a_second_interrupt_ends_at_once_and_a_second_term_does_not(signals_restored: None) -> None:
    stop = stop_on_signals()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    assert stop.is_set()
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGINT)
    assert ended.value.code == 130


def test_json_lines_name_process_level_and_time(logging_restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "json", "ingest")
    structlog.get_logger().info("batch stored", site="学校", count=3)
    line = json.loads(capsys.readouterr().err)
    stamp = line.pop("timestamp")
    assert line == {"process": "ingest", "level": "info", "event": "batch stored", "site": "学校", "count": 3}
    assert stamp.endswith("Z")


def test_lines_of_other_threads_name_the_process_too(
    logging_restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("info", "json", "notify")
    thread = threading.Thread(target=lambda: structlog.get_logger().warning("from elsewhere"), name="elsewhere")
    thread.start()
    thread.join()
    assert json.loads(capsys.readouterr().err)["process"] == "notify"


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_less_than_the_level_is_not_said(
    logging_restored: None, capsys: pytest.CaptureFixture[str], level: str, count: int
) -> None:
    set_up_logging(level, "json", "web")
    log = structlog.get_logger()
    for say in (log.debug, log.info, log.warning, log.error):
        say("a line")
    assert len(capsys.readouterr().err.splitlines()) == count


def test_text_is_for_people_and_shows_an_exception(logging_restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "text", "web")
    try:
        raise ValueError("the reason")
    except ValueError:
        structlog.get_logger().exception("it failed")
    said = capsys.readouterr().err
    assert "it failed" in said
    assert "process=web" in said
    assert "ValueError: the reason" in said
    assert "\x1b" not in said


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {child!r}], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""
CHILD = (
    "import time; from caretaker.process import end_with_parent; end_with_parent(); print(flush=True); time.sleep(60)"
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's help is Linux's own")
def test_a_killed_parent_leaves_no_child_behind() -> None:
    command = [sys.executable, "-c", PARENT.format(child=CHILD)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(child)


def test_threads_of_ingest_have_the_interpreter_after_half_a_millisecond() -> None:
    before = sys.getswitchinterval()
    try:
        switch_often()
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    finally:
        sys.setswitchinterval(before)
