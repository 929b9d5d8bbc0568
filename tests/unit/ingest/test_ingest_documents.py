"""docs/ingest.md is complete: every reason, every figure, every part of the sign of life."""

import re
import threading
from dataclasses import replace
from pathlib import Path

from domain.reasons import DeadReason
from ingest.metrics import MEANING
from ingest.runner import Runner
from tests.support import free_port
from tests.unit.ingest.ingest_fakes import NOW, Bench, FakeJudge, FakeSeries

PAGE = (Path(__file__).parents[3] / "docs" / "ingest.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", PAGE, re.MULTILINE))


def test_every_reason_for_a_rejection_is_in_the_documents() -> None:
    assert {reason.value for reason in DeadReason} <= ROWS.keys()


def test_every_figure_is_in_the_documents_with_its_meaning() -> None:
    assert {name.value: ROWS.get(name.value) for name in MEANING} == {n.value: text for n, text in MEANING.items()}


def test_everything_in_the_sign_of_life_is_in_the_documents_and_a_stop_at_once_ends_cleanly() -> None:
    bench, stop = Bench(), threading.Event()
    settings = replace(bench.settings, broker_url=f"mqtt://127.0.0.1:{free_port()}")
    runner = Runner(settings, bench.ledger, FakeSeries(), FakeJudge, lambda: NOW, stop)
    info = runner.info()
    stop.set()
    runner.run()
    for name in info:
        assert f"`{name}`" in PAGE, name


def test_the_bounds_in_the_documents_are_those_of_the_program() -> None:
    settings = Bench().settings
    assert f"{settings.batch_readings:,} readings or {settings.batch_wait} ms" in PAGE
    assert f"{settings.inbox_messages:,} messages or {settings.inbox_bytes // 2**20} MiB" in PAGE
    assert f"a lease (`ingest.lease`, {settings.lease_ttl // 1000} s)" in PAGE
