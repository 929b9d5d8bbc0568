"""The readings themselves as a signal: what a rule without any other signal gives its masks to pass on or hold back."""

from rules.signals.base import Running


class Plain(Running):
    """Says each reading, for as long as the gap rule lets it count."""

    FIELDS = ("reading",)

    def __init__(self, gap: int | None) -> None:
        super().__init__(gap)
        self.reading = 0.0

    def take(self, time: int, value: float) -> None:
        """Keep it."""
        self.reading = value

    def say(self, now: int) -> None:
        """It, until its known time ends."""
        self.value = self.reading
        self.due = self.edge

    def end(self, at: int) -> None:
        """Nothing is held beyond it."""
