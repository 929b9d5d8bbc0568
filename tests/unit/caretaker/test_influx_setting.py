"""One setting puts the readings into an InfluxDB: what it may say, what it never shows, what the doctor sees."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.problems import Kind, classify
from caretaker import wiring
from caretaker.doctor import Finding, Verdict, examine
from caretaker.settings import Settings, StoreSettings, load_settings
from caretaker.wiring import area_lookup, open_operational, open_series
from domain.batch import batch_of
from domain.errors import InputError, StoreUnavailableError
from domain.readings import Reading
from store.influx.store import InfluxSeriesStore
from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.influx_front import Front, influx_front
from tests.support import free_port

NOW = 1_790_000_000_000
SITE = """\
site: {id: school, title: School}
areas: [{id: kitchen, title: Kitchen}, {id: hall, title: Hall}]
assets: [{id: fridge-1, type: refrigerator, area: AREA, title: F, points: {temperature: {interval: 60s}}}]
"""


@pytest.fixture
def front() -> Iterator[Front]:
    with influx_front(Front("v2.7.11")) as made:
        yield made


def settings_for(folder: Path, port: int) -> Settings:
    return Settings(
        data_dir=folder / "data", stores=StoreSettings(series=f"http://:secret@127.0.0.1:{port}/canteen?org=school")
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OperationalStore]:
    with closing(open_operational(settings_for(tmp_path, 1))) as opened:
        opened.apply_site("school", [("s.yaml", SITE.replace("AREA", "kitchen"))], "li", NOW)
        yield opened


def test_the_setting_chooses_the_store_and_asks_nothing_of_it_yet(tmp_path: Path) -> None:
    with closing(open_series(settings_for(tmp_path, free_port()))) as series:
        assert isinstance(series, InfluxSeriesStore)
    with closing(open_series(Settings(data_dir=tmp_path / "data"))) as series:
        assert isinstance(series, SqliteSeriesStore)


def test_no_text_of_the_settings_shows_the_token(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, 8086)
    assert "secret" not in repr(settings)
    assert "secret" not in str(settings)


@pytest.mark.parametrize("value", ["http://:secret@influx", "https://", "influx:8086/x", "http://:secret@h/a?bucket=b"])
def test_a_slip_is_named_with_its_line_and_without_the_token(tmp_path: Path, value: str) -> None:
    path = tmp_path / "caretaker.toml"
    path.write_text(f"[stores]\n\nseries = '{value}'\n")
    with pytest.raises(InputError) as caught:
        load_settings(path)
    assert caught.value.place.line == 3
    assert "http://user:token@host:8086/database" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_address_in_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "caretaker.toml"
    path.write_text("[stores]\nseries = 'sqlite'\nkeep_readings = '400d'\n")
    monkeypatch.setenv("CARETAKER_STORES__SERIES", "http://influx/school")
    settings = load_settings(path)
    assert (settings.stores.series, settings.stores.keep_readings) == ("http://influx/school", "400d")


@pytest.mark.parametrize("text", ["1h", "23h", "soon", "400"])
def test_a_time_to_keep_readings_is_a_day_or_longer(text: str) -> None:
    with pytest.raises(ValidationError):
        StoreSettings(keep_readings=text)
    assert StoreSettings(keep_readings="1d").keep_readings == "1d"


def test_readings_carry_the_area_of_their_asset(tmp_path: Path, store: OperationalStore, front: Front) -> None:
    with closing(open_series(settings_for(tmp_path, front.port))) as series:
        rows = [Reading("fridge-1/temperature", NOW, 4.0), Reading("pump-9/power", NOW, 1.0)]
        assert series.append(batch_of("school", NOW, rows)).stored == 2
    lines = front.of("/api/v2/write")[0].body.decode().split("\n")
    assert lines[0].startswith(
        "temperature,area=kitchen,asset=fridge-1,point=fridge-1/temperature,site=school value=4.0,"
    )
    assert lines[1].startswith("power,asset=pump-9,")


def test_areas_are_looked_up_again_after_a_while_and_unknown_sites_have_none(
    tmp_path: Path, store: OperationalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    areas = area_lookup(settings_for(tmp_path, 1))
    assert areas("school") == {"fridge-1": "kitchen"}
    assert areas("elsewhere") == {}
    store.apply_site("school", [("s.yaml", SITE.replace("AREA", "hall"))], "li", NOW)
    assert areas("school") == {"fridge-1": "kitchen"}
    now[0] += wiring.AREAS_FOR_SECONDS + 1
    assert areas("school") == {"fridge-1": "hall"}


def series_finding(settings: Settings) -> Finding:
    (finding,) = [one for one in examine(settings, NOW) if "series store" in one.what]
    return finding


def test_the_doctor_says_that_the_server_is_away_and_goes_on(tmp_path: Path, store: OperationalStore) -> None:
    settings = settings_for(tmp_path, free_port())
    finding = series_finding(settings)
    assert finding.verdict is Verdict.WRONG
    assert "does not answer" in finding.what
    assert "stores.series" in finding.remedy
    assert "secret" not in str(finding)
    assert any("no rules" in one.what for one in examine(settings, NOW))


def test_the_doctor_counts_the_readings_that_the_server_has(
    tmp_path: Path, store: OperationalStore, front: Front
) -> None:
    names = b'{"results":[{"series":[{"columns":["name"],"values":[["temperature"],["caretaker.gaps"]]}]}]}'
    counted = b'{"results":[{"series":[{"name":"temperature","columns":["time","count"],"values":[[0,1234]]}]}]}'
    front.says["/query"] = [(200, names), (200, counted)]
    assert series_finding(settings_for(tmp_path, front.port)) == Finding(
        Verdict.OK, "series store answers, 1,234 readings"
    )


def test_the_doctor_says_that_the_token_is_refused(tmp_path: Path, store: OperationalStore, front: Front) -> None:
    front.says["/query"] = [(401, b'{"code":"unauthorized","message":"unauthorized access"}')]
    finding = series_finding(settings_for(tmp_path, front.port))
    assert "unauthorized access" in finding.what
    assert "token" in finding.remedy


def test_a_program_that_asks_for_readings_meanwhile_is_told_to_try_again() -> None:
    assert classify(StoreUnavailableError("away")) == (503, Kind.STORE_UNAVAILABLE)
