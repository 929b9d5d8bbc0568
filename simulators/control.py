"""The control file of a held simulation: when it goes live, and which faults it is given for that.

`{"live_at": ms, "faults": [{"kind": …, "target": …, "start": ms, "duration": "25s"}, {"kind": "compressor_failure",
"target": "fridge-1", "crosses": {"above": 8.0, "at": ms}}]}`. It is read once, whole: whoever writes it renames it in.
"""

from dataclasses import dataclass

from domain.catalogue import Catalogue
from domain.documents import Node, load_document
from domain.errors import InputError
from domain.times import HOUR
from simulators.crossing import solve_crossing
from simulators.effects import Hold
from simulators.faults import Fault, Target, fault_head, make_fault, read_fault
from simulators.parameters import COOLED
from simulators.simulation import Simulation

CROSSING_LASTS = 12 * HOUR  # a failure placed by its crossing goes on so long after it, unless a duration is given


@dataclass(frozen=True, slots=True)
class Crossing:
    """A wish: the failure `fault` (its start open) takes the sampled air above `above` °C at `at` (UTC ms)."""

    fault: Fault
    above: float
    at: int


@dataclass(frozen=True, slots=True)
class Control:
    """When the simulation goes live (UTC ms), with faults of known start and wished crossings."""

    live_at: int
    faults: tuple[Fault, ...]
    crossings: tuple[Crossing, ...]


def read_control(text: str, file: str, catalogue: Catalogue, hold_at: int) -> Control:
    """What the file says; `hold_at` (UTC ms) is what offsets count from. InputError says file, line and remedy."""
    root = load_document(text, file).fields(("live_at",), ("faults",))
    live_at = root["live_at"].moment()
    if live_at < hold_at:
        raise root["live_at"].error("it lies before the moment of holding", "give a later moment")
    faults: list[Fault] = []
    crossings: list[Crossing] = []
    for number, node in enumerate(root["faults"].items() if "faults" in root else (), start=1):
        if "crosses" in node.entries():
            crossings.append(_crossing(node, catalogue, number))
        else:
            faults.append(read_fault(node, catalogue, hold_at, number))
    return Control(live_at, tuple(faults), tuple(crossings))


def apply_control(simulation: Simulation, control: Control) -> None:
    """Give the simulation the faults of the control from its present on, each wished crossing solved in turn."""
    faults, holds = [*simulation.faults, *control.faults], list[Hold]()
    simulation.set_faults(faults)
    for crossing in control.crossings:
        found, hold = solve_crossing(simulation, crossing.fault, crossing.above, crossing.at)
        faults += found
        holds.append(hold)
        simulation.set_faults(faults, holds)


def _crossing(node: Node, catalogue: Catalogue, number: int) -> Crossing:
    kind, spec, parts = fault_head(node, "crosses")
    wish = parts["crosses"].fields(("above", "at"))
    at = wish["at"].moment()
    end = at + (parts["duration"].duration() if "duration" in parts else CROSSING_LASTS)
    if spec.target is not Target.ASSET or not set(spec.types) <= set(COOLED):
        raise _not_cooling(node, kind)
    for word in ("start", "until"):
        if word in parts:
            raise parts[word].error(f"{word} is found from crosses", "leave it out")
    fault = make_fault(node, catalogue, kind, spec, parts, at, end, number)
    return Crossing(fault, wish["above"].number(), at)


def _not_cooling(node: Node, kind: str) -> InputError:
    return node.error(f"{kind} does not make an asset's air cross a limit", "use compressor_failure")
