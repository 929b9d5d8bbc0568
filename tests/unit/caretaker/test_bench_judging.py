"""What judging costs is measured around the judge's calls, with rules of the kinds that the packs have."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from caretaker import wiring
from caretaker.bench import judging, site, timed_ingest
from caretaker.bench.packets import METRICS, WITHIN
from caretaker.bench.timed_ingest import TimedJudge
from domain.catalogue_file import load_catalogue
from rules.assign import plans_by_point
from rules.loading import load_rules


def test_the_rules_are_three_per_point_of_the_kinds_that_packs_have() -> None:
    rules = load_rules(site.mixed_rules_text(), "rules.yaml")
    plans = plans_by_point(load_catalogue(site.catalogue_text(60, 60, 1_000), "site.yaml"), rules)
    assert {plan.max_gap for own in plans.values() for plan in own if not plan.silence} == {3_000}
    assert len(plans) == 60
    for name, own in plans.items():
        assert len(own) == 3
        assert sum(plan.silence for plan in own) == 1
        assert any(plan.signal is not None and not plan.inputs for plan in own)
        assert any(len(plan.levels) == 2 for plan in own)
        assert any(plan.inputs for plan in own) == (name.endswith("/temperature"))
    assert len(METRICS) == len(WITHIN) == 5


class Spinning:
    """A judge whose calls take processor time."""

    site = "school"

    def feed(self, batch: Any) -> list[str]:
        sum(range(200_000))
        return [batch]

    def clock(self, now: int, connected: bool) -> list[str]:
        raise ValueError(now)

    def snapshot(self) -> bytes:
        return b"x" * sum(1 for _ in range(200_000))


def test_only_judging_is_timed_and_what_it_returns_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed_ingest, "EVERY_SECONDS", 0.0)
    figures = tmp_path / "judging.json"
    judge = TimedJudge(Spinning(), figures)
    assert judge.feed("batch") == ["batch"]
    first = json.loads(figures.read_text())
    assert 0.0 < first["judged"] <= first["process"]
    assert len(judge.snapshot()) == 200_000
    with pytest.raises(ValueError, match="7"):
        judge.clock(7, connected=True)
    second = json.loads(figures.read_text())
    assert first["judged"] < second["judged"] < first["judged"] + 0.5 * (second["process"] - first["process"])


def test_ingest_is_run_with_timed_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(wiring, "judge_factory", lambda *words: lambda name: SimpleNamespace(site=name))
    monkeypatch.setattr(timed_ingest, "ingest", lambda config: made.append(wiring.judge_factory(None, None)("school")))  # type: ignore[arg-type]
    timed_ingest.main(tmp_path / "caretaker.toml", tmp_path / "judging.json")
    [judge] = made
    assert isinstance(judge, TimedJudge)
    assert judge.site == "school"


def test_figures_are_read_as_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = tmp_path / "judging.json"
    monkeypatch.setattr("time.sleep", lambda _: figures.write_text('{"judged": 2.0, "process": 5.0}'))
    assert judging.read(figures) == {"judged": 2.0, "process": 5.0}
