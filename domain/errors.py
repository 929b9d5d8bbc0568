"""The errors that Caretaker raises on purpose: each says what is wrong, where, and how to mend it.

Everything that a person can cause (a bad file, a bad setting, an illegal command) is a `CaretakerError`; the command
line prints it without a traceback and exits with 2. Anything else that escapes is a defect of the program.
"""

from dataclasses import dataclass


class CaretakerError(Exception):
    """Something is wrong that a person can mend; `remedy` says how (empty when the message already does)."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an input file: 1-based line and column; 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if self.line == 0:
            return self.file
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


class InputError(CaretakerError):
    """A file that a person wrote cannot be used; printed as `file:line:column: message` and a remedy line."""

    def __init__(self, place: Place, message: str, remedy: str = "") -> None:
        super().__init__(f"{place}: {message}", remedy)
        self.place = place


class IllegalTransitionError(CaretakerError):
    """The alarm's state does not allow that event; nothing was changed."""


class FencedError(CaretakerError):
    """Another worker holds the site's lease by now: this one must stop writing for it at once."""


class ConflictError(CaretakerError):
    """The row has another version than the caller saw: read it again, then decide."""


class NotFoundError(CaretakerError):
    """There is no such site, point, alarm or revision."""


class StoreUnavailableError(CaretakerError):
    """A store cannot be reached, or went away meanwhile: whether a write took place is unknown; try the call again.

    Repeating is safe where the call says so: `Ledger.commit` finds a commit that took place after all.
    """


class StoreRefusedError(CaretakerError):
    """A store answered and refused what it was asked: the same call again is refused again until a person mends it."""
