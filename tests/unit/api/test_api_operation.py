"""How the installation itself does: health, metrics, agents, processes, dead letters, the web process's own beat."""

import asyncio
import base64
import threading
from typing import Any

import pytest

from api.metrics import METRICS
from api.problems import MEDIA_TYPE
from domain.readings import Quality
from domain.records import AgentRow, DeadLetter, DeadReason, Discovery, ProcessRow
from domain.times import MINUTE, iso


def test_live_as_long_as_the_process_answers(bench: Any) -> None:
    bench.console.broken = "disk gone"
    assert bench.json("/health/live") == {"status": "ok", "version": "0.1.0"}


def test_ready_when_stores_answer_and_ingest_is_alive(bench: Any) -> None:
    ready = bench.json("/health/ready")
    assert ready["status"] == "ok"
    assert [check["ok"] for check in ready["checks"]] == [True, True, True]


def test_not_ready_while_ingest_never_gave_a_sign_of_life(bench: Any) -> None:
    bench.console.process_rows.clear()
    answer = bench.get("/health/ready")
    assert answer.status_code == 503
    (failing,) = [check for check in answer.json()["checks"] if not check["ok"]]
    assert failing["name"] == "ingest"
    assert "caretaker up" in failing["detail"]


def test_not_ready_when_ingest_fell_silent_and_ready_again_when_it_is_back(bench: Any) -> None:
    bench.clock[0] += 2 * MINUTE
    answer = bench.get("/health/ready")
    assert answer.status_code == 503
    assert "2min1s ago" in answer.text
    bench.console.beat(ProcessRow("ingest-2", 8, bench.now, bench.now))
    assert bench.get("/health/ready").status_code == 200


def test_a_store_that_fails_is_named_with_its_words(bench: Any) -> None:
    bench.console.broken = "disk gone"
    answer = bench.get("/health/ready")
    assert answer.status_code == 503
    assert "OSError: disk gone" in answer.text


def test_agents_show_what_they_announced(bench: Any) -> None:
    bench.console.agent_rows = [
        AgentRow("canteen", True, bench.now, "b1", 17, '{"version": "0.1.0"}'),
        AgentRow("plant", False, bench.now, "b2", 0, "not json"),
    ]
    first, second = bench.json("/api/v1/sites/school/agents")
    assert first["birth"] == {"version": "0.1.0"}
    assert (first["online"], first["through"]) == (True, 17)
    assert second["birth"] is None


def test_processes_show_their_figures_and_the_age_of_their_beat(bench: Any) -> None:
    (ingest,) = bench.json("/api/v1/processes")
    assert ingest["info"] == {"lag_ms": 250}
    assert ingest["age_ms"] == 1_000


def test_dead_letters_show_the_bytes_as_they_came(bench: Any) -> None:
    payload = b"\xff{garbage \xe4\xb8\xad"
    letter = DeadLetter("school", bench.now, "caretaker/1/school/x", payload, DeadReason.NOT_JSON, "no JSON", 1)
    bench.console.letters.append(letter)
    (found,) = bench.json("/api/v1/dead-letters")["items"]
    assert base64.b64decode(found["payload_base64"]) == payload
    assert found["preview"] == "\N{REPLACEMENT CHARACTER}{garbage 中"
    assert (found["reason"], found["size"]) == ("not_json", len(payload))
    assert found["received"] == iso(bench.now)


def test_a_large_dead_letter_is_shown_in_part_with_its_size(bench: Any) -> None:
    letter = DeadLetter("school", bench.now, "t", b"x" * 300_000, DeadReason.TOO_LARGE, "", 1)
    bench.console.letters.append(letter)
    (found,) = bench.json("/api/v1/dead-letters")["items"]
    assert found["size"] == 300_000
    assert len(base64.b64decode(found["payload_base64"])) == 64 * 1024
    assert len(found["preview"]) == 400


def test_dead_letters_come_newest_first_with_a_cursor_and_a_filter(bench: Any) -> None:
    for number in range(1, 4):
        site = "school" if number != 2 else "other"
        bench.console.letters.append(DeadLetter(site, bench.now, "t", b"", DeadReason.BAD_TOPIC, "", number))
    first = bench.json("/api/v1/dead-letters", params={"limit": 2})
    assert [one["id"] for one in first["items"]] == [3, 2]
    assert [one["id"] for one in bench.json("/api/v1/dead-letters", params={"before": first["next"]})["items"]] == [1]
    assert [one["id"] for one in bench.json("/api/v1/dead-letters", params={"site": "school"})["items"]] == [3, 1]
    assert bench.get("/api/v1/dead-letters", params={"limit": 201}).headers["content-type"] == MEDIA_TYPE


def figures(bench: Any) -> dict[str, float]:
    answer = bench.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_metrics_before_any_site_are_readable(empty: Any) -> None:
    assert figures(empty)["caretaker_dead_letters_total"] == 0


def test_metrics_count_alarms_points_agents_and_letters(bench: Any) -> None:
    bench.raise_alarm()
    bench.measured("fridge-1/temperature", 9.4, ago=30_000)
    bench.measured("fridge-1/door", 0.0, ago=10 * MINUTE)
    bench.measured("boiler-1/status", 0.0, quality=Quality.BAD)
    bench.console.agent_rows = [AgentRow("canteen", True, bench.now, "b", 1)]
    bench.console.letters.append(DeadLetter("school", bench.now, "t", b"", DeadReason.BAD_TOPIC, "", 41))
    bench.console.discovery_rows.append(Discovery("school", "a/b", "x", "W", bench.now, bench.now, 1.0))
    found = figures(bench)
    assert found['caretaker_alarms{priority="high",site="school",state="unacknowledged"}'] == 1
    assert found['caretaker_alarms{priority="low",site="school",state="unacknowledged"}'] == 0
    assert found['caretaker_reading_age_seconds{point="fridge-1/temperature",site="school"}'] == 30
    worth = {word: found[f'caretaker_points{{freshness="{word}",site="school"}}'] for word in
             ("good", "stale", "bad", "never", "uncertain")}  # fmt: skip
    assert worth == {"good": 1, "stale": 1, "bad": 1, "never": 1, "uncertain": 0}
    assert found['caretaker_agents{online="true",site="school"}'] == 1
    assert found['caretaker_agents{online="false",site="school"}'] == 0
    assert found["caretaker_dead_letters_total"] == 41
    assert found['caretaker_discovered_points{site="school"}'] == 1
    assert found['caretaker_process_beat_age_seconds{process="ingest"}'] == 1
    assert found['caretaker_ingest_lag_seconds{process="ingest"}'] == 0.25
    assert found["caretaker_http_streams"] == 0


def test_metrics_count_requests_by_template_not_by_path(bench: Any) -> None:
    bench.get("/api/v1/sites/school")
    bench.get("/api/v1/sites/other")
    bench.get("/nothing/1")
    bench.get("/nothing/2")
    found = figures(bench)
    template = "/api/v1/sites/{site}"
    assert found[f'caretaker_http_requests_total{{method="GET",route="{template}",status="200"}}'] == 1
    assert found[f'caretaker_http_requests_total{{method="GET",route="{template}",status="404"}}'] == 1
    assert found['caretaker_http_requests_total{method="GET",route="none",status="404"}'] == 2


def test_every_metric_that_is_published_is_in_the_closed_set(bench: Any) -> None:
    bench.all_measured()
    bench.get("/")
    published = {name.partition("{")[0] for name in figures(bench)}
    assert {name for name in published if not name.endswith("_created")} == set(METRICS)


def test_two_applications_in_one_process_do_not_disturb_each_other(bench: Any, empty: Any) -> None:
    assert figures(bench)
    assert figures(empty)


@pytest.mark.parametrize("fails", [False, True])
def test_the_web_process_gives_signs_of_life_and_outlives_a_store_that_fails(bench: Any, fails: bool) -> None:
    beats: list[ProcessRow] = []
    given = threading.Event()

    def beat(row: ProcessRow) -> None:
        beats.append(row)
        given.set()
        if fails:
            raise OSError("database is locked")

    bench.console.beat = beat

    async def run() -> None:
        async with bench.app.router.lifespan_context(bench.app):
            assert await asyncio.to_thread(given.wait, 10)

    asyncio.run(run())
    assert beats[0].name == "web"
    assert beats[0].beat_at == bench.now
