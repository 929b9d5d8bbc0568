"""What the sensors of the fault programme measure: every value of every tick follows from the seed alone.

Values wander around the limits of the rules, with holes and failed readings, so that value rules make transitions all
the time. The last ticks that are played (`calm`) are in order, so that no delay is pending at the end of a fault.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SITE = "faults"
AGENT = "box"
MARKER = "marker/humidity"  # its only reading says that everything before it was told

TEMPERATURES = (4.0, 5.5, 6.5, 7.0, 7.5, 8.0, 8.5, 9.5, 9.5, 10.5)
STATES = (0, 0, 1, 1, 1, 2)
CALM = 4.0

Row = tuple[int, str, str]  # time, point, value as text


@dataclass
class Plan:
    """`begin` and `step` in UTC ms and ms; rules' delays are counted in steps, but for `silent_after`, if any."""

    seed: int
    begin: int
    step: int = 50
    fridges: int = 16
    pumps: int = 4
    calm_from: int | None = None
    silent_after: str = ""
    _ticks: list[list[Row]] = field(default_factory=list)
    _runs: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @property
    def points(self) -> list[str]:
        fridges = [f"fridge-{number}/temperature" for number in range(self.fridges)]
        return fridges + [f"pump-{number}/status" for number in range(self.pumps)]

    def tick(self, number: int) -> list[Row]:
        """The rows of that tick; calm from `calm_from` on."""
        if self.calm_from is not None and number >= self.calm_from:
            at = self.begin + number * self.step
            return [(at, point, "1" if point.endswith("status") else f"{CALM}") for point in self.points]
        while len(self._ticks) <= number:
            self._ticks.append(self._next(len(self._ticks)))
        return self._ticks[number]

    def rows(self, first: int, end: int) -> Iterator[Row]:
        for number in range(first, end):
            yield from self.tick(number)

    def tick_of(self, time: int) -> int:
        return (time - self.begin) // self.step

    def write_csv(self, path: Path, first: int, end: int, more: tuple[Row, ...] = ()) -> None:
        """The rows of ticks `first` to `end` (exclusive), and `more` behind them."""
        with path.open("w", encoding="utf-8") as file:
            file.write("time,point,value\n")
            for time, point, value in (*self.rows(first, end), *more):
                file.write(f"{time},{point},{value}\n")

    def _next(self, number: int) -> list[Row]:
        at = self.begin + number * self.step
        rows = []
        for point in self.points:
            value, left = self._runs.get(point, (0.0, 0))
            if left == 0:
                states = point.endswith("status")
                value = float(self._random.choice(STATES if states else TEMPERATURES))
                left = self._random.randint(1, 40)
            self._runs[point] = value, left - 1
            chance = self._random.random()
            if chance < 0.004:  # a hole; three in a row are a gap for the rules
                self._runs[point] = value, left
                continue
            if chance < 0.008:
                rows.append((at, point, "crc error"))
                continue
            # The third decimal makes neighbours differ, and leaves on which side of a limit they lie.
            shown = f"{value:.0f}" if point.endswith("status") else f"{value + number % 7 / 1000:.3f}"
            rows.append((at, point, shown))
        return rows

    def site_file(self) -> str:
        interval = f"{self.step}ms"
        lines = [f"site: {{id: {SITE}}}", "areas: [{id: kitchen}]", "assets:"]
        for number in range(self.fridges):
            lines.append(
                f"  - {{id: fridge-{number}, type: refrigerator, area: kitchen, "
                f"points: {{temperature: {{interval: {interval}}}}}}}"
            )
        for number in range(self.pumps):
            lines.append(
                f"  - {{id: pump-{number}, type: pump, area: kitchen, "
                f"points: {{status: {{interval: {interval}, states: {{off: 0, run: 1, fault: 2}}}}}}}}"
            )
        lines.append('  - {id: marker, type: refrigerator, area: kitchen, points: {humidity: {unit: "%RH"}}}')
        return "\n".join(lines) + "\n"

    def rules_file(self) -> str:
        def steps(count: int) -> str:
            return f"{count * self.step}ms"

        silent = "  - {id: silent, applies_to: {metric: temperature}, condition: {no_data: %s}, priority: low}\n"
        return f"""rules:
  - id: warm
    applies_to: {{metric: temperature}}
    condition: {{above: 8, deadband: 1}}
    on_delay: {steps(20)}
    off_delay: {steps(10)}
    priority: high
  - id: levels
    applies_to: {{metric: temperature}}
    levels:
      - {{above: 6, on_delay: {steps(10)}, off_delay: {steps(5)}, priority: low}}
      - {{above: 9, on_delay: {steps(5)}, priority: urgent}}
  - id: broken
    applies_to: {{metric: status}}
    condition: {{state: fault}}
    priority: high
    latching: true
{silent % self.silent_after if self.silent_after else ""}"""
