"""A long stretch of many assets in columns: the true plant at every sample, without a file or an object per reading.

It is the fast way for whoever judges months of a fleet. The physics is the same as everywhere (`simulators.plant`),
all assets stepped together; only what is needed later is kept: single precision, one column per asset. What sensors
make of it is decided in `simulators.probes`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from domain.catalogue import Catalogue
from domain.times import MINUTE
from simulators.environment import STEP
from simulators.faults import Fault
from simulators.life import CALM, Life
from simulators.parameters import Flags, Ints
from simulators.plant import DT
from simulators.randomness import keys_of, uniform
from simulators.simulation import Simulation

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """The truth at `times` (S,) UTC ms: T thermal rows, A assets in the catalogue's order, `row` asset id -> row.

    `air`, `product` (S, T) °C; `power` (S, A) W, boards with all they feed; `door`, `stirred`, `ready` (S, T);
    `running`, `supplied` (S, A): on by the timetable, has electricity.
    """

    catalogue: Catalogue
    seed: int
    times: Ints
    row: dict[str, int]
    air: Singles
    product: Singles
    power: Singles
    door: Flags
    stirred: Flags
    ready: Flags
    running: Flags
    supplied: Flags


def record(
    catalogue: Catalogue,
    seed: int,
    start: int,
    end: int,
    faults: Sequence[Fault],
    life: Life = CALM,
    interval: int = MINUTE,
    progress: Callable[[float], None] = lambda share: None,
) -> Recording:
    """The site from `start` to `end` (UTC ms, end exclusive). ValueError unless start and interval lie on the grid."""
    if start % STEP or interval % STEP or interval <= 0:
        raise ValueError(f"start and interval must be multiples of {STEP} ms")
    simulation = Simulation(catalogue, seed, start, faults, life)
    model = simulation.model
    times = np.arange(start, end, interval, dtype=np.int64)
    samples, rows, assets = len(times), len(model.thermal), len(catalogue.assets)
    air, product = np.zeros((samples, rows), np.float32), np.zeros((samples, rows), np.float32)
    power = np.zeros((samples, assets), np.float32)
    door, stirred, ready = (np.zeros((samples, rows), np.bool_) for _ in range(3))
    running, supplied = (np.zeros((samples, assets), np.bool_) for _ in range(2))
    starts = model.thermal.index
    start_keys = keys_of(seed, [f"start of {catalogue.assets[number].id}" for number in starts])
    for place, time in enumerate(times.tolist()):
        while simulation.state.time < time:
            simulation.step()
        state = simulation.state
        air[place], product[place], door[place] = state.air, state.product, state.door
        stirred[place], ready[place] = state.stirred, state.ready
        running[place], supplied[place] = state.running, state.supplied
        power[place] = state.power
        if state.peak.any():  # a start-up peak shows when it began within the step's last fraction of a second
            seen = (state.peak > 0.0) & (uniform(start_keys, time) * DT > DT - model.thermal.peak_seconds)
            power[place, starts] = np.where(seen, state.peak, power[place, starts])
        if place % 1024 == 0:
            progress(place / samples)
    for block in range(0, samples, 4096):  # a board's power is that of all it feeds
        power[block : block + 4096] = power[block : block + 4096] @ model.tree.T.astype(np.float32)
    progress(1.0)
    return Recording(
        catalogue, seed, times, dict(model.thermal.row), air, product, power, door, stirred, ready, running, supplied
    )
