"""`caretaker` with a wall clock that jumps: its first argument is a file with the shift in ms, read at every look.

Only `edge.clock.SystemClock.wall` is replaced; everything else is the product as it is installed.
"""

import sys
import time
from pathlib import Path

from edge.clock import SystemClock


def main() -> None:
    shift = Path(sys.argv.pop(1))

    def wall(self: SystemClock) -> int:
        return time.time_ns() // 1_000_000 + int(shift.read_text() or 0)

    SystemClock.wall = wall  # type: ignore[method-assign] # the point of this module
    from caretaker.cli import main as run

    run()


if __name__ == "__main__":
    main()
