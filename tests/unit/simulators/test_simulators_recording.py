"""A recording in columns is the plant that every other way shows; its probes lag, lose and lie as they are told to."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from domain.catalogue import Catalogue
from domain.readings import QualityCode
from domain.times import DAY, HOUR, MINUTE, parse_time
from simulators.faults import Fault, FaultKind
from simulators.probes import CLEAN, ERROR_CODES, PointReadings, Trouble, lagged, readings_of
from simulators.recording import Recording, record
from simulators.simulation import Simulation

START = parse_time("2026-03-02T00:00:00+08:00")
HOURS = 30


@pytest.fixture(scope="module")
def run(small: Catalogue) -> Recording:
    return record(small, 5, START, START + HOURS * HOUR, ())


def of(run: Recording, point: str, trouble: Trouble = CLEAN, *faults: Fault) -> PointReadings:
    asset = run.catalogue.assets_by_id[point.partition("/")[0]]
    kept = tuple(each for each in asset.points if each.name == point)
    index = run.catalogue.assets.index(asset)
    assets = (*run.catalogue.assets[:index], replace(asset, points=kept), *run.catalogue.assets[index + 1 :])
    (found,) = readings_of(
        replace(run, catalogue=replace(run.catalogue, assets=assets)), assets[index], faults, trouble
    )
    return found


def fault(kind: FaultKind, first: float, last: float, **parameters: float) -> Fault:
    span = (START + round(first * HOUR), START + round(last * HOUR))
    return Fault("f", kind, "fridge/temperature", *span, MappingProxyType(parameters))


def test_a_recording_is_what_the_simulation_shows(small: Catalogue, run: Recording) -> None:
    simulation = Simulation(small, 5, START, ())
    for place in (0, 1, 599, 1201):
        simulation.show(int(run.times[place]))
        air, product = simulation.true(int(run.times[place]))
        np.testing.assert_allclose(run.air[place], air, rtol=1e-5)
        np.testing.assert_allclose(run.product[place], product, rtol=1e-5)


def test_a_board_draws_all_that_it_feeds(run: Recording) -> None:
    ids = [asset.id for asset in run.catalogue.assets]
    fed = [ids.index(name) for name in ("fridge", "freezer", "pump")]
    assert (run.power[:, ids.index("board")] > run.power[:, fed].sum(axis=1)).all()


def test_a_moment_off_the_grid_is_refused(small: Catalogue) -> None:
    with pytest.raises(ValueError, match="multiples"):
        record(small, 5, START + 1, START + HOUR, ())


def test_without_trouble_every_sample_arrives_at_once_and_good(run: Recording) -> None:
    found = of(run, "fridge/temperature")
    assert found.time.tolist() == run.times.tolist()
    assert set(found.quality.tolist()) == {int(QualityCode.GOOD)}
    assert 80 <= int((found.received - found.time).min()) <= int((found.received - found.time).max()) <= 400
    np.testing.assert_allclose(found.value, np.round(found.value, 1))


def test_a_probe_lags_and_a_product_probe_is_off_by_less_than_half_a_degree(run: Recording) -> None:
    shown = of(run, "fridge/product_temperature")
    away = shown.value - run.product[:, run.row["fridge"]]
    assert np.abs(away).max() < 0.5
    times = np.arange(0, 20 * MINUTE, MINUTE, dtype=np.int64)
    step = lagged(np.where(times > 0, 10.0, 0.0).astype(np.float32), times, 300.0)
    assert step[5] == pytest.approx(10.0 * (1.0 - np.exp(-1.0)), abs=0.01)  # after one time constant


def test_about_six_in_a_hundred_never_come_and_some_are_codes(run: Recording) -> None:
    found = of(run, "fridge/temperature", Trouble(codes=20.0))
    assert 0.03 < 1.0 - len(found.time) / len(run.times) < 0.12
    codes = np.isin(found.value, ERROR_CODES)
    assert codes.any()
    assert {int(QualityCode.GOOD), int(QualityCode.BAD)} == set(found.quality[codes].tolist())


def test_what_an_outage_held_up_arrives_together(run: Recording) -> None:
    found = of(run, "fridge/temperature", replace(CLEAN, outages=8.0, outage_minutes=(10.0, 10.0)))
    late = found.received - found.time > MINUTE
    assert late.any()
    assert len(found.time) == len(run.times)
    assert len(set(found.received[late].tolist())) < late.sum() / 4


def test_sensor_faults_do_to_columns_what_their_names_say(run: Recording) -> None:
    clean = of(run, "fridge/temperature")
    during = (clean.time >= START + 5 * HOUR) & (clean.time < START + 8 * HOUR)

    stuck = of(run, "fridge/temperature", CLEAN, fault(FaultKind.STUCK_SENSOR, 5, 8))
    assert set(stuck.value[during]) == {clean.value[during][0]}
    assert (stuck.value[~during] == clean.value[~during]).all()

    silent = of(run, "fridge/temperature", CLEAN, fault(FaultKind.DROP_OUT, 5, 8, share=1.0))
    assert len(silent.time) == len(clean.time) - 180

    coded = of(run, "fridge/temperature", CLEAN, fault(FaultKind.ERROR_CODE, 5, 8, share=1.0, code=85.0, good=0.0))
    assert set(coded.value[during]) == {85.0}
    assert set(coded.quality[during].tolist()) == {int(QualityCode.BAD)}

    drifting = of(run, "fridge/temperature", CLEAN, fault(FaultKind.SENSOR_DRIFT, 5, 8, per_hour=1.0, most=2.0))
    away = drifting.value[during] - clean.value[during]
    assert away[60] == pytest.approx(1.0, abs=0.06)
    assert away.max() == pytest.approx(2.0, abs=0.06)


def test_a_metric_without_a_column_is_refused(run: Recording) -> None:
    with pytest.raises(ValueError, match="energy"):
        of(run, "fridge/energy")


def test_a_span_of_nothing_is_an_empty_recording(small: Catalogue) -> None:
    assert record(small, 5, START, START, ()).times.tolist() == []
    assert DAY % MINUTE == 0
