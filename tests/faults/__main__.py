"""`python -m tests.faults`: see `tests.faults.programme`."""

import sys

from tests.faults.programme import main

if __name__ == "__main__":
    sys.exit(main())
