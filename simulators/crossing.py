"""Finds when a machine must have failed so that its air crosses a limit at a wished moment.

The search uses the physics itself: the site is simulated from the present again and again with the failure at another
moment. Doors of that asset stay shut and nothing is loaded meanwhile, so the air rises without a dip, and the effect
is continuous in the moment of failure, so halving finds it. Deterministic: two agents come to the same answer.
"""

from collections.abc import Callable
from dataclasses import replace

from domain.errors import CaretakerError
from domain.times import MINUTE, iso
from simulators.effects import Hold
from simulators.environment import STEP
from simulators.faults import Fault, FaultKind
from simulators.parameters import DOORED
from simulators.sensors import RESOLUTION
from simulators.simulation import Simulation

_CHECKPOINTS = 10 * MINUTE
_CLOSE = 0.001  # °C; a fridge that warms by 2 °C/h is there within 2 s
_MOST_HALVINGS = 40


def solve_crossing(simulation: Simulation, wish: Fault, above: float, at: int) -> tuple[tuple[Fault, ...], Hold]:
    """The faults (and the shut door) that make the sampled air of `wish.target` exceed `above` first at `at`.

    `wish` is the failure with its start still open (any value), `at` is UTC ms. When a failure in the present would
    come too late, the door is left ajar from now on besides. CaretakerError when even that does not do.
    """
    present, row = simulation.state.time, simulation.model.thermal.row[wish.target]
    hold = Hold(row, present, wish.end)
    # A reading shows the limit exceeded from half a digit above it.
    goal = above + 0.5 * 10.0 ** -RESOLUTION["temperature"][0]
    if at <= present:
        raise CaretakerError(f"{iso(at)} is past: the simulation is at {iso(present)}", "wish for a later crossing")
    marks = _undisturbed(simulation, hold, at)

    def air_when_failing(start: int) -> float:
        branch = _latest(marks, start).branch((*simulation.faults, replace(wish, start=start)), (hold,))
        return _air(branch, row, at)

    if air_when_failing(present) >= goal:
        start = round(_halve(air_when_failing, goal, at, present))
        return (replace(wish, start=start),), hold
    failure = replace(wish, start=present)
    opening = _ajar(simulation, failure, hold, goal, at)
    return (failure, opening), hold


def _undisturbed(simulation: Simulation, hold: Hold, until: int) -> list[Simulation]:
    """The site without the failure, every ten minutes from the present to `until`."""
    run = simulation.branch(simulation.faults, (hold,))
    marks = [run.branch(run.faults, (hold,))]
    while run.state.time < until:
        run.step()
        if run.state.time - marks[-1].state.time >= _CHECKPOINTS:
            marks.append(run.branch(run.faults, (hold,)))
    return marks


def _latest(marks: list[Simulation], time: int) -> Simulation:
    return next((mark for mark in reversed(marks) if mark.state.time <= time), marks[0])


def _air(branch: Simulation, row: int, at: int) -> float:
    while branch.state.time < at:
        branch.step()
    return float(branch.true(at)[0][row])


def _halve(air: Callable[[int], float], goal: float, cold: int, warm: int) -> int:
    """A whole number between `cold` (air below the goal) and `warm` (at or above it), air just at the goal."""
    for _ in range(_MOST_HALVINGS):
        middle = (cold + warm) // 2
        if middle in (cold, warm):
            break
        found = air(middle)
        if goal <= found < goal + _CLOSE:
            return middle
        if found >= goal:
            warm = middle
        else:
            cold = middle
    return warm


def _ajar(simulation: Simulation, failure: Fault, hold: Hold, goal: float, at: int) -> Fault:
    """The door fault that brings the air to the goal in time although the failure alone does not."""

    def door(millionths: int) -> Fault:
        span = {"opening": millionths / 1e6}
        return Fault(f"{failure.id}-door", FaultKind.DOOR_LEFT_OPEN, failure.target, failure.start, failure.end, span)

    def air(millionths: int) -> float:
        branch = simulation.branch((*simulation.faults, failure, door(millionths)), (hold,))
        return _air(branch, hold.row, at)

    asset = simulation.catalogue.assets_by_id[failure.target]
    if asset.type not in DOORED or air(1_000_000) < goal:
        raise CaretakerError(
            f"{failure.target} cannot be that warm by {iso(at)}: it is at {iso(hold.start)} and too cold",
            f"wish for a crossing at least {STEP // 1000} s and better 6 h after the present",
        )
    return door(_halve(air, goal, 0, 1_000_000))
