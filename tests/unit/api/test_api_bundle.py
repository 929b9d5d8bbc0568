"""The chart library: made once, kept between starts, and never a reason to fail when the disk is."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from api import bundle
from api.bundle import ChartLibrary


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Counts how often the library is made; making it for real takes two seconds."""
    calls: list[str] = []

    def make(snippet: str) -> str:
        calls.append(snippet)
        return f"/* library */ {snippet} // 中"

    monkeypatch.setattr(bundle.vl_convert, "javascript_bundle", make)
    return calls


def test_it_is_made_at_the_first_request_only(made: list[str]) -> None:
    library = ChartLibrary(None)
    assert made == []
    first = library.get()
    assert library.get() is first
    assert made == ["window.vegaEmbed = vegaEmbed;"]


def test_the_packed_form_is_the_same_script(made: list[str]) -> None:
    found = ChartLibrary(None).get()
    assert gzip.decompress(found.packed) == found.script
    assert found.script.decode("utf-8").endswith("中")


def test_the_next_start_takes_it_from_the_disk(made: list[str], tmp_path: Path) -> None:
    first = ChartLibrary(tmp_path / "cache").get()
    second = ChartLibrary(tmp_path / "cache").get()
    assert len(made) == 1
    assert second == first
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".js"]


def test_another_version_of_the_library_is_made_anew(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ChartLibrary(tmp_path).get()

    def other(name: str) -> str:
        return "99.0"

    monkeypatch.setattr(bundle, "version", other)
    ChartLibrary(tmp_path).get()
    assert len(made) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_written_costs_only_time(made: list[str], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert ChartLibrary(blocked / "cache").get().script
    assert ChartLibrary(blocked / "cache").get().script
    assert len(made) == 2


def test_the_tag_follows_the_content(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = ChartLibrary(None).get().etag
    monkeypatch.setattr(bundle.vl_convert, "javascript_bundle", lambda snippet: "other")
    assert ChartLibrary(None).get().etag != first


def test_the_address_of_the_library_carries_its_version(bench: Any) -> None:
    page = bench.page("/assets/fridge-1")
    assert f"/static/vega.js?v={ChartLibrary(None).version}" in page
    assert "vega.js" not in bench.page("/")  # the board draws no chart, and fetches no library
