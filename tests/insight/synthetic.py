"""A cold asset in thirty lines, independent of the simulators: two nodes, a thermostat, and what is done to it.

`course` gives the columns of some days; by the end of them something may have happened. It knows the true figures, so a
test can compare.
"""

from dataclasses import dataclass, field

import numpy as np

from domain.batch import Float64s
from domain.readings import QualityCode
from domain.times import MINUTE
from rules.insight.columns import AssetColumns, Column

END = 1_772_380_800_000  # UTC ms of the last minute
NEVER = 2**40  # minutes


@dataclass(frozen=True, slots=True)
class Plant:
    """Per minute, °C and W; as in `rules.insight.thermal`."""

    asset_type: str = "refrigerator"
    low: float = 2.3
    high: float = 4.3
    outside: float = 25.0
    loss: float = 0.005
    exchange: float = 0.04
    lag: float = 60.0
    cooling: float = 0.32
    idle: float = 12.0
    run: float = 300.0
    noise: float = 0.03


@dataclass(frozen=True, slots=True)
class Story:
    """What happens, in minutes before the end: `fails_at` the compressor, `cut_at` the electricity, `open_at` the door,
    `fan_at` only the share
    `reaching` of the cold comes to the air, `stuck_at` the sensor."""

    minutes: int = 3 * 24 * 60
    fails_at: int = 0
    cut_at: int = 0
    open_at: int = 0
    fan_at: int = 0
    reaching: float = 0.12
    stuck_at: int = 0
    missing: float = 0.06
    seed: int = 1
    without: frozenset[str] = field(default_factory=frozenset)


def course(story: Story = Story(), plant: Plant = Plant()) -> AssetColumns:
    """The columns up to `END`."""
    columns, _ = course_with_truth(story, plant, 0)
    return columns


def course_with_truth(story: Story, plant: Plant, further: int) -> tuple[AssetColumns, tuple[Float64s, Float64s]]:
    """The columns, and the true (air, food) of the `further` minutes that follow if nothing changes."""
    chance = np.random.default_rng(story.seed)
    total = story.minutes + further
    air, food, power, door = (np.zeros(total) for _ in range(4))
    a = f = 0.5 * (plant.low + plant.high)
    on = False
    for minute in range(total):
        left = story.minutes - minute
        on = a > plant.high or (on and a > plant.low)
        works = on and not left <= (story.fails_at or -NEVER) and not left <= (story.cut_at or -NEVER)
        cold = plant.cooling * (story.reaching if left <= (story.fan_at or -NEVER) else 1.0) if works else 0.0
        opened = 0.15 if left <= (story.open_at or -NEVER) else 0.0
        a += (plant.loss + opened) * (plant.outside - a) + plant.exchange * (f - a) - cold
        f += (a - f) / plant.lag
        air[minute], food[minute], door[minute] = a, f, float(opened > 0)
        power[minute] = 0.0 if left <= (story.cut_at or -NEVER) else plant.run if works else plant.idle
        air[minute] += float(chance.normal(0.0, plant.noise)) if works else 0.0
    seen = np.round(air, 1)
    if story.stuck_at:
        seen[story.minutes - story.stuck_at :] = seen[story.minutes - story.stuck_at]
    shown = {"air": seen, "product": np.round(food, 1), "power": power, "door": door}
    given = {
        name: column_of_minutes(values[: story.minutes], chance, story.missing)
        for name, values in shown.items()
        if name not in story.without
    }
    supply = np.where(np.arange(story.minutes) >= story.minutes - story.cut_at, 0.0, 900.0)
    columns = AssetColumns(plant.asset_type, **given, supply=column_of_minutes(supply, chance, story.missing))
    return columns, (air[story.minutes :], food[story.minutes :])


def column_of_minutes(values: Float64s, chance: np.random.Generator | None = None, missing: float = 0.0) -> Column:
    """A good reading a minute up to `END`, some missing."""
    time = END - (len(values) - 1 - np.arange(len(values), dtype=np.int64)) * MINUTE
    keep = np.ones(len(values), np.bool_) if chance is None else chance.random(len(values)) >= missing
    return Column(
        time[keep], np.asarray(values, np.float64)[keep], np.full(int(keep.sum()), QualityCode.GOOD, np.uint8)
    )
