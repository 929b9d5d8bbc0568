"""The stores behind the API in memory: they obey the ports, and hold what a story puts into them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from domain.alarms import Alarm, AlarmEvent, AlarmKey, EventKind, Overlay, OverlayKind, Reason, Transition
from domain.batch import Gap
from domain.errors import ConflictError, IllegalTransitionError, NotFoundError
from domain.food import FoodDecision
from domain.lifecycle import apply
from domain.readings import Quality
from domain.records import (
    AgentRow,
    AlarmFilter,
    DeadLetter,
    Discovery,
    Excursion,
    Latest,
    ProcessRow,
    Revision,
    Series,
    TransitionFilter,
    Windows,
)


@dataclass
class FakeConsole:
    """The operational store in memory."""

    revisions: dict[str, Revision] = field(default_factory=dict)
    rules: dict[str, list[Revision]] = field(default_factory=dict)
    commissioned: dict[str, int | None] = field(default_factory=dict)
    latest_rows: dict[str, list[Latest]] = field(default_factory=dict)
    alarm_rows: dict[tuple[str, AlarmKey], Alarm] = field(default_factory=dict)
    log: list[Transition] = field(default_factory=list)
    excursion_rows: list[Excursion] = field(default_factory=list)
    decision_rows: list[FoodDecision] = field(default_factory=list)
    discovery_rows: list[Discovery] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    agent_rows: list[AgentRow] = field(default_factory=list)
    process_rows: dict[str, ProcessRow] = field(default_factory=dict)
    service_rows: dict[tuple[str, str], Overlay] = field(default_factory=dict)
    broken: str = ""
    polls: int = 0

    def sites(self) -> list[str]:
        if self.broken:
            raise OSError(self.broken)
        return list(self.revisions)

    def site_revision(self, site: str, number: int | None = None) -> Revision | None:
        return self.revisions.get(site)

    def rules_revision(self, site: str, number: int | None = None) -> Revision | None:
        found = [one for one in self.rules.get(site, ()) if number in (None, one.number)]
        return found[-1] if found else None

    def rules_revisions(self, site: str, limit: int, before: int | None = None) -> list[Revision]:
        found = [one for one in self.rules.get(site, ()) if before is None or one.number < before]
        return found[::-1][:limit]

    def commissioned_at(self, site: str) -> int | None:
        return self.commissioned.get(site)

    def beat(self, process: ProcessRow) -> None:
        self.process_rows[process.name] = process

    def apply_site(self, site: str, documents: Sequence[tuple[str, str]], by: str, now: int) -> Revision:
        number = self.revisions[site].number + 1 if site in self.revisions else 1
        self.revisions[site] = Revision(site, number, tuple(documents), now, by)
        return self.revisions[site]

    def apply_rules(
        self, site: str, documents: Sequence[tuple[str, str]], by: str, now: int, why: str = ""
    ) -> Revision:
        kept = self.rules.setdefault(site, [])
        kept.append(Revision(site, len(kept) + 1, tuple(documents), now, by, why))
        return kept[-1]

    def commission(self, site: str, at: int | None, by: str, now: int) -> None:
        self.commissioned[site] = at

    def latest(self, site: str) -> list[Latest]:
        self.polls += 1
        return list(self.latest_rows.get(site, ()))

    def alarms(self, where: AlarmFilter, limit: int, offset: int = 0) -> tuple[list[Alarm], int]:
        def wanted(alarm: Alarm) -> bool:
            return (
                where.site in (None, alarm.site)
                and (not where.states or alarm.state in where.states)
                and (not where.priorities or alarm.priority in where.priorities)
                and where.rule in (None, alarm.key.rule)
                and where.point in (None, alarm.key.point, alarm.key.point.partition("/")[0])
                and (where.overlay is None or alarm.overlay(where.overlay) is not None)
                and (not where.set_aside or bool(alarm.overlays))
            )

        found = [alarm for alarm in self.alarm_rows.values() if wanted(alarm)]
        return found[offset : offset + limit], len(found)

    def alarm(self, site: str, key: AlarmKey) -> Alarm | None:
        return self.alarm_rows.get((site, key))

    def command(self, site: str, event: AlarmEvent, expected_version: int | None = None) -> Transition:
        alarm = self.alarm(site, event.key)
        if alarm is None:
            raise NotFoundError(f"no alarm {event.key}")
        if expected_version is not None and alarm.version != expected_version:
            raise ConflictError(f"the alarm has version {alarm.version}, not {expected_version}", "read it again")
        return self.happen(site, event)

    def happen(self, site: str, event: AlarmEvent) -> Transition:
        before = self.alarm_rows.get((site, event.key), Alarm(site, event.key))
        after, transition = apply(before, event)
        self.alarm_rows[site, event.key] = after
        self.log.append(replace(transition, id=len(self.log) + 1))
        return self.log[-1]

    def remove_from_service(
        self, site: str, asset: str, by: str, why: str, until: int | None, now: int
    ) -> tuple[Transition, ...]:
        if (site, asset) in self.service_rows:
            raise IllegalTransitionError(f"{asset} is out of service already", "put it back first")
        self.service_rows[site, asset] = Overlay(OverlayKind.OUT_OF_SERVICE, by, why, now, until)
        return self._each(EventKind.REMOVE_FROM_SERVICE, site, asset, by, why, until, now)

    def return_to_service(self, site: str, asset: str, by: str, note: str, now: int) -> tuple[Transition, ...]:
        if (site, asset) not in self.service_rows:
            raise IllegalTransitionError(f"{asset} is in service")
        del self.service_rows[site, asset]
        return self._each(EventKind.RETURN_TO_SERVICE, site, asset, by, note, None, now)

    def _each(
        self, kind: EventKind, site: str, asset: str, by: str, note: str, until: int | None, now: int
    ) -> tuple[Transition, ...]:
        keys = [key for at, key in self.alarm_rows if at == site and key.point.partition("/")[0] == asset]
        said = {"by": by, "note": note, "until": until}
        return tuple(self.happen(site, AlarmEvent(kind, key, Reason.BY_PERSON, now, now, **said)) for key in keys)

    def out_of_service(self, site: str) -> dict[str, Overlay]:
        return {asset: overlay for (at, asset), overlay in self.service_rows.items() if at == site}

    def transitions(self, where: TransitionFilter, limit: int, newest_first: bool = True) -> list[Transition]:
        def wanted(one: Transition) -> bool:
            return (
                where.site in (None, one.site)
                and where.rule in (None, one.key.rule)
                and where.point in (None, one.key.point, one.key.point.partition("/")[0])
                and one.id > where.after
                and (where.before is None or one.id < where.before)
                and (where.start is None or one.at >= where.start)
                and (where.end is None or one.at < where.end)
            )

        found = [one for one in self.log if wanted(one)]
        return (found[::-1] if newest_first else found)[:limit]

    def excursions(self, site: str, point: str | None, start: int, end: int) -> list[Excursion]:
        return [
            one
            for one in self.excursion_rows
            if one.site == site
            and point in (None, one.point)
            and one.start < end
            and (one.end is None or one.end > start)
        ]

    def excursion(self, site: str, number: int) -> Excursion | None:
        return next((one for one in self.excursion_rows if (one.site, one.id) == (site, number)), None)

    def food_decisions(self, site: str, excursions: Sequence[int]) -> list[FoodDecision]:
        return [one for one in self.decision_rows if one.site == site and one.excursion in excursions]

    def decide_food(self, decision: FoodDecision, supersedes: int | None = None) -> FoodDecision:
        earlier = self.food_decisions(decision.site, [decision.excursion])
        if (earlier[-1].id if earlier else None) != supersedes:
            raise ConflictError("somebody has decided meanwhile", "look at it again, then decide")
        self.decision_rows.append(replace(decision, id=len(self.decision_rows) + 1))
        return self.decision_rows[-1]

    def discoveries(self, site: str) -> list[Discovery]:
        return [one for one in self.discovery_rows if one.site == site]

    def dead_letters(self, site: str | None, limit: int, before: int | None = None) -> list[DeadLetter]:
        found = [one for one in reversed(self.letters) if site in (None, one.site)]
        return [one for one in found if before is None or one.id < before][:limit]

    def agents(self, site: str) -> list[AgentRow]:
        return list(self.agent_rows)

    def processes(self) -> list[ProcessRow]:
        return list(self.process_rows.values())

    def audit(self, site: str | None, limit: int, before: int | None = None) -> list[dict[str, object]]:
        return []


@dataclass
class FakeSeries:
    """The series store in memory: (time, value, quality, text) rows by point."""

    rows: dict[tuple[str, str], list[tuple[int, float, Quality, str]]] = field(default_factory=dict)
    gap_rows: list[Gap] = field(default_factory=list)
    late: dict[tuple[str, int], int] = field(default_factory=dict)  # by point and time: ms until it was received

    def put(self, point: str, *readings: tuple[int, float], site: str = "school") -> None:
        kept = self.rows.setdefault((site, point), [])
        kept += [(time, value, Quality.GOOD, "") for time, value in readings]

    def put_bad(self, point: str, time: int, text: str, site: str = "school") -> None:
        self.rows.setdefault((site, point), []).append((time, float("nan"), Quality.BAD, text))

    def _within(self, site: str, point: str, start: int, end: int) -> list[tuple[int, float, Quality, str]]:
        return [row for row in sorted(self.rows.get((site, point), []), key=lambda r: r[0]) if start <= row[0] < end]

    def read(self, site: str, point: str, start: int, end: int, limit: int | None = None) -> Series:
        found = self._within(site, point, start, end)[:limit]
        return Series(
            np.array([row[0] for row in found], np.int64),
            np.array([row[1] for row in found], np.float64),
            tuple(row[2] for row in found),
            {number: row[3] for number, row in enumerate(found) if row[3]},
            np.array([row[0] + self.late.get((point, row[0]), 200) for row in found], np.int64),
        )

    def window(self, site: str, point: str, start: int, end: int, step: int) -> Windows:
        groups: dict[int, list[tuple[int, float, Quality, str]]] = {}
        for row in self._within(site, point, start, end):
            groups.setdefault(start + (row[0] - start) // step * step, []).append(row)
        good = [[row[1] for row in rows if row[2] is not Quality.BAD] for rows in groups.values()]

        def column(figure: Callable[[list[float]], float]) -> Any:
            return np.array([figure(values) if values else np.nan for values in good], np.float64)

        return Windows(
            np.array(list(groups), np.int64),
            column(min),
            column(lambda values: sum(values) / len(values)),
            column(max),
            column(lambda values: values[-1]),
            np.array([len(values) for values in good], np.int64),
            np.array([len(rows) - len(values) for rows, values in zip(groups.values(), good, strict=True)], np.int64),
        )

    def gaps(self, site: str, start: int, end: int) -> list[Gap]:
        return [gap for gap in self.gap_rows if gap.start < end and gap.end >= start]
