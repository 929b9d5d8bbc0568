"""Decisions about food after excursions: added and audited, never changed; the newest of an excursion stands."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, insert, select

from domain.alarms import FoodFate
from domain.errors import ConflictError, NotFoundError
from domain.food import FoodDecision, FoodOption
from domain.records import Excursion
from store.engine import Database
from store.operational import audit, locks
from store.operational.plain import plain_text
from store.operational.transitions import of_excursion
from store.schema import excursions, food_decisions

_ID_CHUNK = 500  # below every database's bound on parameters


class FoodDecisions:
    """The methods of `OperationalStore` about excursions' food."""

    _database: Database

    def excursion(self, site: str, number: int) -> Excursion | None:
        """The excursion of that id, or None."""
        with self._database.read() as connection:
            return excursion(connection, site, number)

    def food_decisions(self, site: str, excursions: Sequence[int]) -> list[FoodDecision]:
        """Every decision about the food of these excursions, the newest of each last."""
        with self._database.read() as connection:
            return find(connection, site, excursions)

    def decide_food(self, decision: FoodDecision, supersedes: int | None = None) -> FoodDecision:
        """Add the decision, audited. NotFoundError, ConflictError."""
        with self._database.write() as connection:
            locks.site(connection, decision.site)
            return decide(connection, decision, supersedes)


def excursion(connection: Connection, site: str, number: int) -> Excursion | None:
    """The excursion of that id, or None."""
    row = connection.execute(select(excursions).where(excursions.c.site == site, excursions.c.id == number)).first()
    return None if row is None else of_excursion(row)


def find(connection: Connection, site: str, numbers: Sequence[int]) -> list[FoodDecision]:
    """Every decision about these excursions, the newest of each last."""
    found: list[FoodDecision] = []
    for begin in range(0, len(numbers), _ID_CHUNK):
        chunk = numbers[begin : begin + _ID_CHUNK]
        mine = (food_decisions.c.site == site, food_decisions.c.excursion.in_(chunk))
        rows = connection.execute(select(food_decisions).where(*mine).order_by(food_decisions.c.id))
        found += [_decision(row) for row in rows]
    return found


def decide(connection: Connection, decision: FoodDecision, supersedes: int | None) -> FoodDecision:
    """Add the decision, audited. NotFoundError without such an excursion; ConflictError when the newest decision of it
    is not `supersedes` (None: there was none)."""
    about = excursion(connection, decision.site, decision.excursion)
    if about is None:
        raise NotFoundError(f"the site {decision.site!r} has no excursion {decision.excursion}")
    earlier = find(connection, decision.site, [decision.excursion])
    newest = earlier[-1].id if earlier else None
    if newest != supersedes:
        raise ConflictError(
            f"somebody has decided about excursion {decision.excursion} meanwhile: {earlier[-1].option}, by "
            f"{earlier[-1].by}"
            if earlier
            else f"the decision {supersedes} about excursion {decision.excursion} does not exist",
            "look at it again, then decide",
        )
    plain = replace(
        decision, by=plain_text(decision.by), note=plain_text(decision.note), seen=plain_text(decision.seen)
    )
    row = {name: value for name, value in asdict(plain).items() if name != "id"}
    number = connection.execute(insert(food_decisions).returning(food_decisions.c.id), [row]).scalar_one()
    detail: dict[str, object] = {
        "decision": number, "excursion": plain.excursion, "option": plain.option, "fate": plain.fate,
        "note": plain.note, "seen": plain.seen, "supersedes": supersedes, "start": about.start, "end": about.end,
    }  # fmt: skip
    subject = f"{about.rule} {about.point}"
    audit.append(connection, plain.site, plain.at, plain.by, "decide_food", subject, detail)
    return replace(plain, id=number)


def _decision(row: Any) -> FoodDecision:
    return FoodDecision(
        row.site, row.excursion, FoodOption(row.option), FoodFate(row.fate), row.by, row.at, row.note, row.seen, row.id
    )
