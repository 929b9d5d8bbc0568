"""The documentation is complete: every route, metric and kind of problem stands in docs/api.md."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.metrics import METRICS
from api.problems import Kind

DOCS = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_route_stands_in_the_docs(bench: Any) -> None:
    missing = [f"{method} {path}" for method, path, _ in operations(bench.json("/openapi.json"))
               if f"`{method} {path}`" not in DOCS]  # fmt: skip
    assert missing == []


def test_every_route_of_the_docs_exists(bench: Any) -> None:
    known = {f"{method} {path}" for method, path, _ in operations(bench.json("/openapi.json"))}
    pages = {"GET /", "GET /assets/{asset}", "GET /alarms", "GET /alarms/{rule}/{asset}/{metric}",
             "POST /alarms/{rule}/{asset}/{metric}/…", "POST /assets/{asset}/…",
             "GET /charts/{asset}/{metric}", "GET /openapi.json", "GET /excursions", "GET /excursions/{number}",
             "GET /coverage",
             "POST /excursions/{number}/decisions", "GET /rules", "GET /rules/{rule}", "POST /rules/{rule}/…",
             "GET /rule-new", "POST /rule-new/…", "GET /rule-revisions", "GET /rule-revisions/{number}",
             "POST /rule-revisions/{number}/…"}  # fmt: skip
    described = set(re.findall(r"`((?:GET|POST) /[^`?]*)`", DOCS))
    assert described - known - pages == set()
    assert pages - described == set()


def test_every_metric_stands_in_the_docs_with_its_labels_and_its_sentence() -> None:
    for metric in METRICS.values():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "—"
        assert f"| `{metric.name}` | {labels} | {metric.says} |" in DOCS


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_problem_stands_in_the_docs(kind: Kind) -> None:
    assert f"| `{kind}` |" in DOCS


def test_the_interface_description_says_what_everything_is(bench: Any) -> None:
    schema = bench.json("/openapi.json")
    for method, path, operation in operations(schema):
        assert operation["tags"], f"{method} {path}"
        assert operation["summary"], f"{method} {path}"
        assert operation["description"], f"{method} {path}"
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), f"{method} {path} {parameter['name']}"
    assert {tag["name"] for tag in schema["tags"]} == {tag for *_, op in operations(schema) for tag in op["tags"]}
    for name, model in schema["components"]["schemas"].items():
        if not name.startswith(("PageOf_", "CursorPage_")):  # generated for each item from the described one
            assert model.get("description"), name


def test_errors_are_described_as_problems(bench: Any) -> None:
    for method, path, operation in operations(bench.json("/openapi.json")):
        if path.startswith("/api/"):
            content = operation["responses"]["422"]["content"]
            assert "application/problem+json" in content, f"{method} {path}"
