"""A delay that is running: how long a condition has held already, of how long it must hold until the alarm is raised.

For people who look at a unit whose sensor has fallen silent: the engine keeps what had been counted and goes on with
the next reading, so the page must not lose it either. It is worked out from the newest readings by the engine's own
condition; nothing is stored for it, and it decides nothing. Pure: whoever calls hands over the readings.
"""

from dataclasses import dataclass

from domain.times import DAY
from rules.composite import condition_of
from rules.condition import Condition, Phase
from rules.late import judge_again
from rules.plan import Plan
from rules.recent import Columns

LONGEST = 2 * DAY  # of what is looked at: a rule that needs more of the past has no delay to show here


@dataclass(frozen=True, slots=True)
class Pending:
    """The next level of a rule at one point: true since `since` (UTC ms), for `met` ms of known time, of `delay` ms.

    `known_until` is the end of what is known when that lies before the moment that was asked for: then nothing is
    counted any more until the next reading. None: it is being counted now. `value` is the one in force.
    """

    rule: str
    level: int
    since: int
    met: int
    delay: int
    known_until: int | None
    value: float


def looks_back(plan: Plan) -> int | None:
    """How far (ms) before the newest reading of its point a rule's readings are needed; None: it cannot be shown."""
    if plan.silence or plan.memory > LONGEST:
        return None
    return plan.lookback


def pending(plan: Plan, rows: Columns, begin: int, level: int, now: int) -> Pending | None:
    """The delay that runs at `now` (UTC ms), or None.

    `rows` as `rules.revisit.reconsider` takes them, from `begin` on; `level` was active then (-1: none).
    """
    condition, _ = judge_again(condition_of(plan), begin, rows, now, level, True)
    return pending_in(condition, now)


def pending_in(condition: Condition, now: int) -> Pending | None:
    """The delay of the lowest level that waits to be raised."""
    for number, state in enumerate(condition.levels):
        if number <= condition.level or state.phase != Phase.PENDING_ON:
            continue
        known = min(now, condition.edge)
        return Pending(
            condition.plan.rule,
            number,
            state.since,
            state.accrued + max(0, known - state.mark),
            condition.plan.levels[number].on_delay,
            None if known == now else known,
            condition.value,
        )
    return None
