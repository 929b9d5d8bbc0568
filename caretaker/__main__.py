"""`python -m caretaker`."""

from caretaker.cli import main

main()
