"""A simulated plant as a source of readings for an edge agent: history first, then live.

Each agent of a site simulates the whole plant and gives only its own points; equal site, seed, scenario and start make
equal plants, so the agents' stories fit together. What is read does not depend on when or how often it is asked.
Delivery faults of a scenario (network, clock) are not acted out: a live agent has a network and a clock of its own.

With `control`, the history stops at `hold_at` until that file exists; it says when the plant goes live and which
faults it has then (`simulators.control`).
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError
from domain.readings import Reading
from domain.source import PointDescription
from domain.times import DAY, SECOND, parse_duration, parse_time
from simulators.control import Control, apply_control, read_control
from simulators.randomness import keys_of, uniform
from simulators.scenario import Scenario, load_scenario
from simulators.simulation import Simulation

OPTIONS = (
    "site", "agent", "seed", "scenario", "history", "interval", "live_interval", "start", "hold_at", "control",
)  # fmt: skip
DEFAULT_HISTORY = 7 * DAY
_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the agent's file says; times UTC ms, spans ms. `agent` None: all points.

    `start` None: `history` before the first call. `history` None: until the first call. `control` and `hold_at` are
    given together or not at all.
    """

    site: Path
    agent: str | None = None
    seed: int = 1
    scenario: Path | None = None
    history: int | None = None
    interval: int = 60 * SECOND
    live_interval: int = 5 * SECOND
    start: int | None = None
    hold_at: int | None = None
    control: Path | None = None


class SimulatedSource:
    """Meets `domain.source.Source` and `RecordedTime`."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options
        self._catalogue = load_catalogue(_text(options.site), str(options.site))
        self._scenario(options.start)
        everything = list(self._catalogue.points())
        self._mine = [
            (column, point)
            for column, point in enumerate(everything)
            if options.agent is None or point.agent == options.agent
        ]
        if not self._mine:
            agents = sorted({point.agent for point in everything if point.agent})
            raise CaretakerError(
                f"{options.site} gives no points to the agent {options.agent!r}",
                f"agents of that site: {', '.join(agents) or 'none'}",
            )
        self._loss_keys = keys_of(options.seed, [f"loss of {point.name}" for point in everything])
        self._simulation: Simulation | None = None
        self._control: Control | None = None
        self._missing = 0.0
        self._pending: deque[Reading] = deque()
        self._start = self._next = 0
        self._live_at = _NEVER
        self._extra: list[tuple[int, str]] = []  # (time, asset), ascending
        self._asked = 0

    @classmethod
    def from_options(cls, options: Mapping[str, object]) -> "SimulatedSource":
        """The source of these options. CaretakerError (or ValueError for a single value) says what is wrong."""
        return cls(read_options(options))

    def open(self) -> None:
        """Nothing to acquire: files were read when it was made, and the plant begins with the first call."""

    def close(self) -> None:
        """Nothing to release."""

    @property
    def exhausted(self) -> bool:
        """Never: a plant goes on."""
        return False

    @property
    def simulation(self) -> Simulation:
        """The plant behind the readings; ValueError before the first read."""
        if self._simulation is None:
            raise ValueError("the plant begins with the first read")
        return self._simulation

    @property
    def complete_until(self) -> int:
        """UTC ms: nothing earlier follows once what `read` returned was iterated to its end."""
        if self._simulation is None:
            return 0
        extra = self._extra[0][0] if self._extra else _NEVER
        return min(self._next, extra, self._asked)

    def points(self) -> Sequence[PointDescription]:
        """The agent's points, in the catalogue's order."""
        return [
            PointDescription(point.name, point.unit.code, point.interval or self._options.interval, point.states)
            for _, point in self._mine
        ]

    def read(self, now: int) -> Iterator[Reading]:
        """All samples up to `now` (UTC ms) that were not yet taken, in order of time, made as they are taken."""
        if self._simulation is None:
            self._begin(now)
        self._asked = max(self._asked, now)
        while True:
            while self._pending:
                yield self._pending.popleft()
            if not self._sample(now):
                return

    def _begin(self, now: int) -> None:
        options = self._options
        if options.start is not None:
            self._start = options.start
        else:
            history = DEFAULT_HISTORY if options.history is None else options.history
            self._start = (now - history) // options.interval * options.interval
        if options.control is None:
            whole = options.start is None or options.history is None
            self._live_at = now if whole else self._start + (options.history or 0)
        scenario = self._scenario(self._start)
        self._missing = scenario.missing
        self._next = self._start
        self._simulation = Simulation(self._catalogue, options.seed, self._start, scenario.faults)

    def _scenario(self, start: int | None) -> Scenario:
        path = self._options.scenario
        if path is None:
            return Scenario()
        return load_scenario(_text(path), str(path), self._catalogue, start)

    def _sample(self, now: int) -> bool:
        """Put the next sample's readings among the pending ones; False when the next is later than `now` or held."""
        hold_at = self._options.hold_at
        if hold_at is not None and self._control is None and self._next > hold_at and not self._release(hold_at):
            return False
        extra = self._extra[0] if self._extra else (_NEVER, "")
        time = min(self._next, extra[0])
        if time > now:
            return False
        if extra[0] == time:
            self._extra.pop(0)
        if self._next == time:
            self._collect(time, None)
            self._next = self._following(time)
        else:
            self._collect(time, extra[1])
        return True

    def _following(self, time: int) -> int:
        """When the next regular sample is due: on the interval's grid before going live, then on the live one's."""
        if time >= self._live_at:
            return time + self._options.live_interval
        return min(time + self._options.interval, max(self._live_at, time + 1))

    def _release(self, hold_at: int) -> bool:
        """Go on from the hold when the control file is there."""
        path, simulation = self._options.control, self._simulation
        assert path is not None, "hold_at and control come together"
        assert simulation is not None, "the plant began before it was held"
        if not path.exists():
            return False
        control = read_control(_text(path), str(path), self._catalogue, hold_at)
        apply_control(simulation, control)
        self._control = control
        self._live_at = control.live_at
        self._extra = sorted((crossing.at, crossing.fault.target) for crossing in control.crossings)
        self._next = min(self._next, max(self._live_at, hold_at + 1))
        return True

    def _collect(self, time: int, asset: str | None) -> None:
        simulation = self._simulation
        assert simulation is not None, "the plant began with the first call"
        shown = simulation.show(time)
        special = simulation.sensors.samples(shown)
        lost = uniform(self._loss_keys, time) < self._missing
        for column, point in self._mine:
            if lost[column] or (asset is not None and point.asset != asset):
                continue
            if column not in special:
                self._pending.append(Reading(point.name, time, float(shown.value[column])))
                continue
            sample = special[column]
            if sample is not None:
                self._pending.append(Reading(point.name, time, sample.value, sample.quality, sample.text))


def read_options(options: Mapping[str, object]) -> SourceOptions:
    """The options checked and in their types. CaretakerError for unknown or missing ones, ValueError for values."""
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        raise CaretakerError(f"unknown option {unknown[0]!r}", f"known: {', '.join(OPTIONS)}")
    if "site" not in options:
        raise CaretakerError("'site' is missing", "give the path of the site's catalogue (YAML)")
    if ("control" in options) != ("hold_at" in options):
        raise CaretakerError("control and hold_at come together", "give both or neither")
    seed = options.get("seed", 1)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed: {seed!r} is not a whole number of 0 or more")
    found = SourceOptions(
        Path(str(options["site"])),
        None if "agent" not in options else str(options["agent"]),
        seed,
        None if "scenario" not in options else Path(str(options["scenario"])),
        _span(options, "history", None),
        _span(options, "interval", 60 * SECOND) or 0,
        _span(options, "live_interval", 5 * SECOND) or 0,
        _moment(options, "start"),
        _moment(options, "hold_at"),
        None if "control" not in options else Path(str(options["control"])),
    )
    if min(found.interval, found.live_interval) < 100:
        raise ValueError("interval and live_interval must be 100ms or more")
    if found.hold_at is not None and (found.start is None or found.hold_at < found.start):
        raise CaretakerError("hold_at needs a start before it", "give start as RFC 3339")
    return found


def _span(options: Mapping[str, object], name: str, default: int | None) -> int | None:
    if name not in options:
        return default
    try:
        return parse_duration(str(options[name]))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _moment(options: Mapping[str, object], name: str) -> int | None:
    if name not in options:
        return None
    try:
        return parse_time(str(options[name]))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CaretakerError(f"{path} cannot be read: {error}", "give the path of a readable file in UTF-8") from None
