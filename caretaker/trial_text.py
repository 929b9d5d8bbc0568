"""A comparison of two rule sets as text for people; decides nothing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.episodes import Episode
    from rules.compare import Comparison

MOST_SHOWN = 20


def as_text(effect: "Comparison") -> Iterator[str]:
    """The sentence, the rules that differ, then the alarms that would be lost or gained (the newest 20 of each)."""
    from domain.times import iso
    from rules.compare import Loss

    yield f"{iso(effect.start)} to {iso(effect.end)}, {effect.readings} readings: the change {effect.sentence}"
    for rule in effect.rules:
        yield (
            f"  {rule.rule:<28} alarms {rule.before} -> {rule.after}, "
            f"minutes in alarm {rule.minutes_before} -> {rule.minutes_after}"
        )
    for loss in (Loss.REAL, Loss.NUISANCE, Loss.COVERED):
        yield from _listed(f"lost ({loss})", [one for one, kind in effect.lost if kind is loss])
    yield from _listed("gained", list(effect.gained))


def _listed(title: str, told: "list[Episode]") -> Iterator[str]:
    from domain.times import iso

    if not told:
        return
    yield f"{title}: {len(told)}" + (f", the newest {MOST_SHOWN}" if len(told) > MOST_SHOWN else "")
    for one in told[-MOST_SHOWN:]:
        cleared = "still active" if one.cleared_at is None else iso(one.cleared_at)
        yield f"  {iso(one.raised_at)}  {cleared:<24}  {one.key.rule:<24}  {one.key.point}"
