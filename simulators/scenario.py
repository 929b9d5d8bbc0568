"""A scenario: what happens to a simulated site besides normal life, read from YAML.

```yaml
start: 2026-03-02T00:00:00+08:00   # optional
missing: 0.06                      # optional: share of readings that never come
faults:
  - {id: fridge breaks, kind: compressor_failure, target: fridge-1, start: 3d9h, duration: 6h}
```
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.catalogue import Catalogue
from domain.documents import load_document
from domain.times import parse_time
from simulators.faults import Fault, read_fault

DEFAULT_START = parse_time("2026-03-02T00:00:00+08:00")  # a Monday; fixed, so that a run without --start is repeatable


@dataclass(frozen=True, slots=True)
class Scenario:
    """`start` in UTC ms, the faults in the file's order, the share of readings that get lost at random."""

    start: int = DEFAULT_START
    faults: tuple[Fault, ...] = ()
    missing: float = 0.0


def load_scenario(text: str, file: str, catalogue: Catalogue, start: int | None = None) -> Scenario:
    """The scenario of the YAML text; `start` (UTC ms) overrides the file's. InputError says file, line and remedy."""
    root = load_document(text, file).fields((), ("start", "missing", "faults"))
    begin = DEFAULT_START
    if "start" in root:
        begin = root["start"].moment()
    begin = begin if start is None else start
    missing = root["missing"].number() if "missing" in root else 0.0
    if not 0.0 <= missing < 1.0:
        raise root["missing"].error("the missing share must lie between 0 and 1", "write for example missing: 0.06")
    faults: list[Fault] = []
    for number, node in enumerate(root["faults"].items() if "faults" in root else (), start=1):
        fault = read_fault(node, catalogue, begin, number)
        if any(fault.id == other.id for other in faults):
            raise node.error(f"the fault {fault.id!r} is here twice", "give each its own id")
        faults.append(fault)
    return Scenario(begin, tuple(faults), missing)


def faults_within(faults: Sequence[Fault], start: int, end: int) -> tuple[Fault, ...]:
    """The faults that act at all in [start, end)."""
    return tuple(fault for fault in faults if fault.start < end and fault.end > start)
