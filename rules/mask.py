"""One mask at work: from when to when it holds back what is behind it. What its member means is `rules.composite`'s."""

from typing import Generic, Protocol, TypeVar

from rules.plan import NEVER, MaskPlan


class Truth(Protocol):
    """What a mask asks of its member."""

    def truth(self, now: int) -> float:
        """1, 0 or NaN."""

    def due(self, now: int) -> int:
        """The next moment (UTC ms) at which that may change by time alone."""


M = TypeVar("M", bound=Truth)


class Mask(Generic[M]):
    """One mask at work: `since` when its member became true, `tail` until when it masks after its end.

    When its member becomes unknown, the tail begins: what it excused was so until then. Is it true again meanwhile, its
    time counts on from where it was (`lost`), as if nothing had been missed.
    """

    def __init__(self, plan: MaskPlan, member: M) -> None:
        self.plan = plan
        self.member = member
        self.since = NEVER
        self.tail = -NEVER
        self.lost = NEVER

    def note(self, now: int) -> None:
        """Take note of what its member says as of now."""
        truth = self.member.truth(now)
        if truth == 1.0:
            if self.since == NEVER and now < self.tail and self.lost != NEVER:
                self.since, self.tail = self.lost, -NEVER
            elif self.since == NEVER:
                self.since = now
            self.lost = NEVER
            return
        in_time = self.plan.at_most is None or now - self.since <= self.plan.at_most
        if self.since != NEVER and in_time:
            self.tail = now + self.plan.tail
            self.lost = self.since
        if truth == 0.0:
            self.lost = NEVER
        self.since = NEVER

    def on(self, now: int) -> bool:
        """Whether it masks."""
        return now < self.tail or (self.since != NEVER and now < self._most())

    def due(self, now: int) -> int:
        """The next moment at which it may change by time alone."""
        ends = [end for end in (self.tail, self._most()) if end > now]
        return min(self.member.due(now), *ends, NEVER)

    def _most(self) -> int:
        return NEVER if self.since == NEVER or self.plan.at_most is None else self.since + self.plan.at_most
