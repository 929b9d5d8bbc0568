"""The doctor tells in words what is wrong: each finding on a real store, one thing wrong at a time."""

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from caretaker import doctor as module
from caretaker.doctor import CLOCK_NOT_BEFORE, Finding, Verdict, examine
from caretaker.settings import BrokerSettings, Settings
from domain.batch import batch_of
from domain.readings import Quality, Reading
from domain.records import Commit, DeadLetter, DeadReason, Discovery, EntryKind, Latest, ProcessRow
from domain.times import DAY, HOUR, MINUTE, SECOND
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.support import free_port

NOW = 1_790_000_000_000
SITE = """\
site: {id: school, title: School}
areas: [{id: kitchen, title: Kitchen}]
assets:
  - id: fridge-1
    type: refrigerator
    area: kitchen
    title: Fridge
    points: {temperature: {interval: 60s}, humidity: {interval: 60s}}
"""
RULES = "rules:\n  - {id: warm, applies_to: {metric: temperature}, condition: {above: 8}, priority: high}\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation in a folder of its own, whose broker's port nobody listens on."""
    return Settings(data_dir=tmp_path / "data", broker=BrokerSettings(port=free_port()))


@pytest.fixture
def store(settings: Settings) -> Iterator[OperationalStore]:
    """A school that is described, has rules and is live; nobody has sent anything yet."""
    settings.data_dir.mkdir()
    with closing(OperationalStore(f"sqlite:///{settings.operational_path}")) as opened:
        opened.apply_site("school", [("site.yaml", SITE)], "li", NOW - 9 * DAY)
        opened.apply_rules("school", [("rules.yaml", RULES)], "li", NOW - 9 * DAY)
        opened.commission("school", NOW - 8 * DAY, "li", NOW - 8 * DAY)
        yield opened


def commit(store: OperationalStore, site: str = "school", **parts: object) -> None:
    epoch = store.acquire(site, "worker", NOW, MINUTE)
    assert epoch is not None
    store.commit(Commit(site, "worker", epoch, NOW, **parts))  # type: ignore[arg-type]  # each test's own parts


def found(settings: Settings, words: str, now: int = NOW) -> Finding:
    """The one finding that has these words."""
    findings = [finding for finding in examine(settings, now) if words in finding.what]
    assert len(findings) == 1, [finding.what for finding in examine(settings, now)]
    return findings[0]


def whats(settings: Settings, now: int = NOW) -> str:
    return "\n".join(finding.what for finding in examine(settings, now))


def run_supervisor(settings: Settings) -> None:
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    (settings.run_dir / "supervisor.json").write_text(json.dumps({"pid": os.getpid(), "children": []}))


def test_a_fresh_machine_is_told_what_to_do_first(settings: Settings) -> None:
    assert found(settings, "does not exist yet").verdict is Verdict.WARNING
    finding = found(settings, "no site is described")
    assert (finding.verdict, "caretaker site apply" in finding.remedy) == (Verdict.WRONG, True)
    assert found(settings, "series store answers, 0 readings").verdict is Verdict.OK


def test_an_installation_in_order_has_nothing_wrong(settings: Settings, store: OperationalStore) -> None:
    run_supervisor(settings)
    store.beat(ProcessRow("ingest", 7, NOW - HOUR, NOW - SECOND))
    rows = [Latest(f"fridge-1/{name}", NOW - SECOND, 4.0, Quality.GOOD, NOW) for name in ("temperature", "humidity")]
    store.flush_latest("school", rows)
    commit(store, statuses=(("kitchen", True, "b1"),))
    with socket.create_server(("127.0.0.1", settings.broker.port)):
        findings = list(examine(settings, NOW))
    assert {finding.verdict for finding in findings} == {Verdict.OK}, findings
    assert [finding.remedy for finding in findings if finding.remedy] == []
    said = "\n".join(finding.what for finding in findings)
    for words in ("MB free", "embedded broker", "answers", "1 assets, 2 points, revision 1", "1 rules, revision 1",
                  "ingest runs (process 7)", "agent kitchen is online", "the audit's chain is whole"):  # fmt: skip
        assert words in said


@pytest.mark.parametrize(("now", "wrong"), [(CLOCK_NOT_BEFORE - 1, True), (0, True), (CLOCK_NOT_BEFORE, False)])
def test_a_clock_before_the_program_was_written_is_wrong(settings: Settings, now: int, wrong: bool) -> None:
    assert ("clock says" in whats(settings, now)) is wrong


def test_a_full_disk_is_wrong(settings: Settings, store: OperationalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_FREE_MB", 10**9)
    finding = found(settings, "MB are free")
    assert (finding.verdict, "agents hold" in finding.remedy) == (Verdict.WRONG, True)


def test_a_data_folder_that_is_a_file_is_told(settings: Settings) -> None:
    settings.data_dir.write_text("")
    finding = found(settings, "cannot be made: File exists")
    assert (finding.verdict, finding.remedy) == (Verdict.WRONG, "set data_dir to a writable folder")


def test_a_data_folder_that_cannot_be_looked_at_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.shutil, "disk_usage", refuse)
    assert found(settings, "cannot be looked at: Permission denied").verdict is Verdict.WRONG


def test_an_embedded_broker_that_is_silent_is_wrong_only_while_caretaker_runs(
    settings: Settings, store: OperationalStore
) -> None:
    words = f"embedded broker 127.0.0.1:{settings.broker.port} does not answer"
    assert found(settings, words).verdict is Verdict.WARNING
    run_supervisor(settings)
    assert found(settings, words).verdict is Verdict.WRONG


def test_a_broker_of_ones_own_must_answer_always(settings: Settings, store: OperationalStore) -> None:
    own = settings.model_copy(update={"broker": BrokerSettings(url=f"mqtt://li:secret@127.0.0.1:{free_port()}")})
    finding = found(own, "does not answer")
    assert (finding.verdict, finding.remedy) == (Verdict.WRONG, "start it, or correct broker.url")
    assert "secret" not in whats(own)


def test_a_damaged_operational_store_ends_the_examination_with_words(settings: Settings) -> None:
    settings.data_dir.mkdir()
    settings.operational_path.write_bytes(b"no database at all" * 100)
    last = list(examine(settings, NOW))[-1]
    assert last.verdict is Verdict.WRONG
    assert "operational store" in last.what
    assert "caretaker restore" in last.remedy


def test_a_damaged_series_store_hides_nothing_else(settings: Settings, store: OperationalStore) -> None:
    settings.series_path.write_bytes(b"no database at all" * 100)
    finding = found(settings, "series store:")
    assert (finding.verdict, "caretaker restore" in finding.remedy) == (Verdict.WRONG, True)
    assert "1 rules, revision 1" in whats(settings)


def test_readings_are_counted_over_the_sites(settings: Settings, store: OperationalStore) -> None:
    with closing(SqliteSeriesStore(settings.series_path)) as series:
        readings = [Reading("fridge-1/temperature", NOW - minute * MINUTE, 4.0) for minute in range(1200)]
        series.append(batch_of("school", NOW, readings))
        series.append(batch_of("elsewhere", NOW, readings[:5]))
    assert found(settings, "series store answers").what == "series store answers, 1,200 readings"


@pytest.mark.parametrize(("entries", "behind"), [(1000, False), (1001, True)])
def test_a_series_store_that_falls_behind_is_noted(
    settings: Settings, store: OperationalStore, entries: int, behind: bool
) -> None:
    one = (EntryKind.BATCH, batch_of("school", NOW, [Reading("fridge-1/temperature", NOW, 4.0)]))
    commit(store, entries=(one,) * entries)
    assert (f"{entries} journal entries behind" in whats(settings)) is behind
    store.set_cursor("school", "series", 500)
    assert "behind" not in whats(settings)


def test_a_site_without_rules_raises_no_alarm_and_that_is_wrong(settings: Settings, store: OperationalStore) -> None:
    store.apply_site("annex", [("annex.yaml", SITE.replace("id: school", "id: annex"))], "li", NOW)
    finding = found(settings, "annex: no rules, so no alarms")
    assert finding == Finding(Verdict.WRONG, finding.what, "caretaker rules apply pack:cn-canteen --site annex")
    assert "school: no rules" not in whats(settings)


def test_a_site_that_is_not_commissioned_is_noted(settings: Settings, store: OperationalStore) -> None:
    assert "being commissioned" not in whats(settings)
    store.commission("school", None, "li", NOW)
    finding = found(settings, "school is being commissioned")
    assert (finding.verdict, "caretaker site commission school" in finding.remedy) == (Verdict.WARNING, True)


@pytest.mark.parametrize("part", ["site", "rules"])
def test_stored_documents_that_nobody_can_read_are_told_and_hide_nothing(
    settings: Settings, store: OperationalStore, part: str
) -> None:
    if part == "site":
        store.apply_site("school", [("site.yaml", "site: {")], "li", NOW)
    else:
        store.apply_rules("school", [("rules.yaml", "rules: [{id: x}]")], "li", NOW)
    assert found(settings, "what is stored cannot be read").verdict is Verdict.WRONG
    assert "no agent has ever announced itself" in whats(settings)


@pytest.mark.parametrize(
    ("age", "verdict", "words"),
    [(0, Verdict.OK, "ingest runs (process 7)"), (15 * SECOND, Verdict.OK, "ingest runs"),
     (15 * SECOND + 1, Verdict.WRONG, "sign of life 15s ago"), (26 * HOUR, Verdict.WRONG, "sign of life 1d2h ago"),
     (-5 * SECOND, Verdict.OK, "ingest runs")],
)  # fmt: skip
def test_a_process_is_known_by_its_signs_of_life(
    settings: Settings, store: OperationalStore, age: int, verdict: Verdict, words: str
) -> None:
    store.beat(ProcessRow("ingest", 7, NOW - 30 * HOUR, NOW - age))
    assert found(settings, words).verdict is verdict


def test_without_a_supervisor_the_processes_may_be_services(settings: Settings, store: OperationalStore) -> None:
    assert found(settings, "caretaker up does not run here").verdict is Verdict.WARNING
    run_supervisor(settings)
    assert "does not run here" not in whats(settings)


def test_an_offline_agent_is_wrong_and_its_time_is_told(settings: Settings, store: OperationalStore) -> None:
    assert found(settings, "no agent has ever announced itself").verdict is Verdict.WARNING
    commit(store, statuses=(("kitchen", False, "b1"), ("plant", True, "b2")))
    finding = found(settings, "agent kitchen is offline since 2h", NOW + 2 * HOUR)
    assert (finding.verdict, finding.remedy) == (Verdict.WRONG, "check its power and network")
    assert found(settings, "agent plant is online").verdict is Verdict.OK


def test_silent_points_and_points_that_never_spoke_are_two_things(settings: Settings, store: OperationalStore) -> None:
    assert "2 points have never sent a reading, e.g. fridge-1/temperature" in whats(settings)
    store.flush_latest("school", [Latest("fridge-1/temperature", NOW - HOUR, 4.0, Quality.GOOD, NOW - HOUR)])
    assert "1 points have never sent a reading, e.g. fridge-1/humidity" in whats(settings)
    assert "silent for over an hour" not in whats(settings)
    assert found(settings, "1 points are silent for over an hour", NOW + 1).verdict is Verdict.WARNING


def test_points_that_nobody_described_are_noted(settings: Settings, store: OperationalStore) -> None:
    commit(store, discoveries=(Discovery("school", "kettle/temperature", "esp", "Cel", NOW, NOW, 81.0),))
    finding = found(settings, "1 published points are not in the site file, e.g. kettle/temperature")
    assert (finding.verdict, "add them" in finding.remedy) == (Verdict.WARNING, True)


def test_refused_messages_are_counted_with_the_newest_reason(settings: Settings, store: OperationalStore) -> None:
    def letter(site: str, at: int, detail: str) -> DeadLetter:
        return DeadLetter(site, at, "t", b"x", DeadReason.NOT_JSON, detail)

    commit(store, dead_letters=(letter("school", 1, "older"), letter("school", 2, "newest\x1b[2J")))
    commit(store, dead_letters=(letter("", 3, "topic of nobody"),))
    commit(store, dead_letters=(letter("never-described", 4, "and of no site"),))
    finding = found(settings, "school: 2 messages were refused")
    assert (finding.verdict, finding.remedy) == (Verdict.WARNING, "caretaker dead-letters lists them")
    assert finding.what.endswith("as not_json: newest\\x1b[2J")
    assert found(settings, "unknown site: 2 messages were refused").what.endswith("and of no site")


def test_a_changed_audit_is_wrong(settings: Settings, store: OperationalStore) -> None:
    assert found(settings, "the audit's chain is whole").verdict is Verdict.OK
    with closing(sqlite3.connect(settings.operational_path)) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute("UPDATE audit SET by = 'nobody' WHERE id = 1")
        connection.commit()
    finding = found(settings, "the audit was tampered with: ")
    assert (finding.verdict, "entry 1" in finding.what) == (Verdict.WRONG, True)
