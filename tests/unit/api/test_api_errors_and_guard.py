"""Refusals are problems (RFC 9457), and no other page in the browser can use the server."""

from typing import Any

import pytest
from starlette.datastructures import Headers

from api.security import HEADERS, foreign, host_of, known_host, own_names
from domain.errors import CaretakerError

ACKNOWLEDGE = "/api/v1/sites/school/alarms/cold-high/fridge-1/temperature/acknowledge"


def test_a_problem_says_what_where_and_how_to_mend_it(bench: Any) -> None:
    answer = bench.get("/api/v1/sites/scool")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:caretaker:problem:not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no site 'scool'",
        "remedy": "apply a catalogue: caretaker site apply site.yaml",
        "instance": "/api/v1/sites/scool",
    }


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/api/v2/sites", "/static/nothing.js", "/docs"])
def test_a_path_that_does_not_exist_is_a_problem(bench: Any, path: str) -> None:
    answer = bench.get(path)
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:caretaker:problem:not-found"


def test_a_method_that_a_path_does_not_know_is_a_problem(bench: Any) -> None:
    answer = bench.request("DELETE", "/api/v1/sites")
    assert answer.status_code == 405
    assert answer.json()["type"] == "urn:caretaker:problem:method-not-allowed"
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("site", ["School", "a" * 64, "-x", "%2e%2e", "a%00b"])
def test_an_id_that_cannot_exist_is_refused_with_its_place(bench: Any, site: str) -> None:
    answer = bench.get(f"/api/v1/sites/{site}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["in"] == "path"
    assert answer.json()["errors"][0]["field"] == "site"


def test_a_catalogue_that_cannot_be_read_says_so_without_a_traceback(bench: Any) -> None:
    bench.console.apply_site("school", [("site.yaml", "site: {")], "setup", bench.now)
    answer = bench.get("/api/v1/sites/school")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:caretaker:problem:unusable-configuration"
    assert "site.yaml" in answer.json()["detail"]


def test_a_defect_is_a_problem_that_tells_nothing_of_the_inside(bench: Any) -> None:
    bench.console.broken = "secret path /var/lib"
    answer = bench.get("/api/v1/sites", strict=False)
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:caretaker:problem:internal"
    assert "secret" not in answer.text


def test_a_person_gets_the_same_words_as_a_page(bench: Any) -> None:
    answer = bench.get("/assets/fridge-9", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "no asset &#39;fridge-9&#39;" in answer.text


def test_an_error_of_the_api_stays_json_even_in_a_browser(bench: Any) -> None:
    answer = bench.get("/api/v1/sites/nowhere", headers={"accept": "text/html"})
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/api/v1/sites", "/nothing", "/health/live", "/metrics", "/openapi.json"])
def test_every_answer_carries_the_guarding_headers(bench: Any, path: str) -> None:
    headers = bench.get(path).headers
    for name, value in HEADERS.items():
        assert headers[name] == value
    assert headers["cache-control"] == "no-store"


def test_the_content_policy_allows_nothing_from_elsewhere_and_nothing_inline() -> None:
    policy = HEADERS["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8420", "[::1]:8420", "192.168.1.20:8420", "localhost:8420"])
def test_an_address_or_localhost_may_be_called(bench: Any, host: str) -> None:
    assert bench.get("/health/live", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[::1", "127.0.0.1.evil.example"])
def test_a_name_that_somebody_else_may_point_here_is_refused(bench: Any, host: str) -> None:
    answer = bench.get("/health/live", headers={"host": host})
    assert answer.status_code == 421
    assert answer.json()["type"] == "urn:caretaker:problem:unknown-host"
    assert answer.headers["x-frame-options"] == "DENY"


def test_further_names_are_known_when_they_are_configured() -> None:
    names = own_names(("Canteen.School.example",))
    assert known_host("canteen.school.example:8420", names)
    assert not known_host("school.example", names)
    assert host_of("[::1]:80") == "::1"


def test_a_page_of_another_site_can_change_nothing(bench: Any) -> None:
    bench.raise_alarm()
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
    ):
        answer = bench.request("POST", ACKNOWLEDGE, json={"by": "x"}, headers=headers)
        assert answer.status_code == 403, headers
        assert answer.json()["type"] == "urn:caretaker:problem:foreign-origin"
    assert bench.json(ACKNOWLEDGE.removesuffix("/acknowledge"))["version"] == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "http://127.0.0.1", "host": "127.0.0.1"}, False),
        ({"origin": "http://127.0.0.1:1", "host": "127.0.0.1:2"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1", "host": "127.0.0.1"}, True),
    ],
)
def test_what_counts_as_foreign(headers: dict[str, str], expected: bool) -> None:
    assert foreign(Headers(headers)) is expected


def test_reading_from_elsewhere_is_no_change_and_passes(bench: Any) -> None:
    assert bench.get("/health/live", headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_errors_say_their_remedy_once() -> None:
    assert str(CaretakerError("wrong", "mend it")) == "wrong\n  remedy: mend it"
