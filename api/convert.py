"""Domain records to answer models: units, titles and limits are filled in, NaN becomes null. Pure."""

import base64
import json
import math

from api import models
from api.board import AssetStanding, stale_after
from api.knowledge import SiteKnowledge
from domain.alarms import Alarm, Overlay, Transition
from domain.batch import Gap
from domain.catalogue import Label, Point
from domain.ids import PointName
from domain.records import AgentRow, DeadLetter, Discovery, Excursion, Latest, ProcessRow, Series, Windows
from domain.times import iso

PAYLOAD_SHOWN = 64 * 1024
PREVIEW_SHOWN = 400


def number(value: float | None) -> float | None:
    """The value, or None for NaN and infinities, which JSON cannot carry."""
    return value if value is not None and math.isfinite(value) else None


def text(label: Label) -> models.Text:
    """Both languages."""
    return models.Text(en=label.en, zh=label.zh)


def moment(ms: int | None) -> str | None:
    """RFC 3339, or None."""
    return None if ms is None else iso(ms)


def site(known: SiteKnowledge, commissioned_at: int | None) -> models.Site:
    """The site's head."""
    catalogue = known.catalogue
    return models.Site(
        id=catalogue.site,
        title=text(catalogue.label),
        timezone=catalogue.timezone,
        commissioned_at=moment(commissioned_at),
        assets=len(catalogue.assets),
        points=len(catalogue.by_name),
        catalogue_revision=known.revision,
        rules_revision=known.rules_revision,
    )


def point(known: SiteKnowledge, one: Point) -> models.PointModel:
    """A point with the rules that judge it."""
    return models.PointModel(
        point=one.name,
        asset=one.asset,
        metric=one.metric,
        title=text(one.label),
        unit=one.unit.code,
        symbol=one.unit.symbol,
        interval_ms=one.interval,
        states=dict(one.states),
        rules=[rule.id for rule in known.rules_of(one.name)],
    )


def asset(known: SiteKnowledge, one: AssetStanding) -> models.AssetModel:
    """An asset with its standing."""
    return models.AssetModel(
        id=one.asset.id,
        type=one.asset.type,
        area=one.asset.area,
        title=text(one.asset.label),
        content=text(one.asset.content),
        fed_by=one.asset.fed_by,
        state=one.standing,
        priority=one.priority,
        out_of_service=None if one.service is None else overlay(one.service),
        points=[point(known, each) for each in one.asset.points],
    )


def latest(known: SiteKnowledge, row: Latest, now: int) -> models.LatestModel:
    """A newest reading with its age at `now`."""
    about = known.catalogue.by_name.get(row.point)
    return models.LatestModel(
        point=row.point,
        time=iso(row.time),
        received=iso(row.received),
        age_ms=now - row.time,
        value=number(row.value),
        unit=about.unit.code if about else None,
        quality=row.quality,
        text=row.text,
        fresh=now - row.time <= stale_after(about),
    )


def readings(series: Series) -> list[models.ReadingModel]:
    """A series as rows."""
    return [
        models.ReadingModel(
            time=iso(int(series.time[row])),
            value=number(float(series.value[row])),
            quality=series.quality[row],
            text=series.texts.get(row, ""),
        )
        for row in range(len(series.time))
    ]


def windows(found: Windows) -> list[models.WindowModel]:
    """Windows as rows."""
    return [
        models.WindowModel(
            start=iso(int(found.start[row])),
            min=number(float(found.low[row])),
            mean=number(float(found.mean[row])),
            max=number(float(found.high[row])),
            last=number(float(found.last[row])),
            count=int(found.count[row]),
            bad=int(found.bad[row]),
        )
        for row in range(len(found.start))
    ]


def alarm(known: SiteKnowledge, one: Alarm) -> models.AlarmModel:
    """An alarm with title, unit and limit."""
    name = PointName(*one.key.point.split("/", 1))
    about = known.catalogue.by_name.get(one.key.point)
    limit = known.limit(one.key.rule, one.level)
    return models.AlarmModel(
        site=one.site,
        rule=one.key.rule,
        point=one.key.point,
        asset=name.asset,
        metric=name.metric,
        title=text(known.title(one.key.rule)),
        state=one.state,
        active=one.active,
        priority=one.priority,
        level=one.level,
        value=number(one.value),
        unit=about.unit.code if about else None,
        above=limit.above if limit else None,
        below=limit.below if limit else None,
        reason=one.reason,
        raised_at=moment(one.raised_at),
        changed_at=moment(one.changed_at),
        acknowledged_by=one.acknowledged_by,
        acknowledged_at=moment(one.acknowledged_at),
        confirmed_by=one.confirmed_by,
        confirmed_at=moment(one.confirmed_at),
        silenced_by=one.silenced_by,
        silenced_at=moment(one.silenced_at),
        assigned_to=one.assigned_to,
        overlays=[overlay(lay) for lay in one.overlays],
        rules_revision=one.rules_revision,
        version=one.version,
    )


def overlay(lay: Overlay) -> models.OverlayModel:
    """What lies over an alarm or an asset."""
    return models.OverlayModel(kind=lay.kind, by=lay.by, why=lay.why, since=iso(lay.since), until=moment(lay.until))


def transition(one: Transition) -> models.TransitionModel:
    """A logged change."""
    return models.TransitionModel(
        id=one.id,
        site=one.site,
        rule=one.key.rule,
        point=one.key.point,
        event=one.event,
        source=one.source,
        target=one.target,
        reason=one.reason,
        priority=one.priority,
        level=one.level,
        value=number(one.value),
        at=iso(one.at),
        detected_at=iso(one.detected_at),
        retroactive=one.retroactive,
        answer_required=one.answer_required,
        by=one.by,
        note=one.note,
        rules_revision=one.rules_revision,
        until=moment(one.until),
        nuisance=one.nuisance,
        remedy=one.remedy,
        food=one.food,
        assignee=one.assignee,
    )


def excursion(one: Excursion) -> models.ExcursionModel:
    """An interval out of limit."""
    return models.ExcursionModel(
        id=one.id,
        rule=one.rule,
        point=one.point,
        start=iso(one.start),
        end=moment(one.end),
        priority=one.priority,
    )


def discovery(one: Discovery) -> models.DiscoveryModel:
    """An unknown point."""
    return models.DiscoveryModel(
        point=one.point,
        agent=one.agent,
        unit=one.unit,
        first_seen=iso(one.first_seen),
        last_seen=iso(one.last_seen),
        value=number(one.value),
    )


def dead_letter(one: DeadLetter) -> models.DeadLetterModel:
    """A refused message with a bounded copy of its bytes."""
    return models.DeadLetterModel(
        id=one.id,
        site=one.site,
        received=iso(one.received),
        topic=one.topic,
        reason=one.reason,
        detail=one.detail,
        size=len(one.payload),
        payload_base64=base64.b64encode(one.payload[:PAYLOAD_SHOWN]).decode("ascii"),
        preview=one.payload[:PREVIEW_SHOWN].decode("utf-8", "replace"),
    )


def agent(one: AgentRow) -> models.AgentModel:
    """An agent with its birth document read."""
    return models.AgentModel(
        agent=one.agent,
        online=one.online,
        since=iso(one.since),
        boot=one.boot,
        through=one.through,
        birth=document(one.birth),
    )


def gap(one: Gap) -> models.GapModel:
    """A gap record."""
    return models.GapModel(
        agent=one.agent,
        start=iso(one.start),
        end=iso(one.end),
        count=one.count,
        reason=one.reason,
        points=list(one.points),
    )


def process(one: ProcessRow, now: int) -> models.ProcessModel:
    """A process with the age of its last sign of life."""
    return models.ProcessModel(
        name=one.name,
        pid=one.pid,
        started_at=iso(one.started_at),
        beat_at=iso(one.beat_at),
        age_ms=now - one.beat_at,
        info=document(one.info) or {},
    )


def document(raw: str) -> dict[str, object] | None:
    """The JSON object in the text; None when there is none (what devices write about themselves is not trusted)."""
    try:
        value = json.loads(raw) if raw else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
