"""What people read: a few plain lines in Chinese or English about one or more transitions of a site.

Decides the words only. Values are shown in the point's unit, states by their names, times in the site's time zone. The
first line alone must be enough to act on: what, where, how bad.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from domain.alarms import Priority, Reason, Transition
from domain.catalogue import Catalogue, Label
from domain.emptying import Unit
from domain.incidents import Incident
from domain.times import MINUTE, from_ms
from notify.decide import Action, Verdict, Why

MOST_UNITS = 5
MOST_LINES = 20  # per message; the rest is counted

RuleTitle = Callable[[str, str], Label | None]  # (site, rule) -> its title

_PRIORITIES = {
    Priority.LOW: Label("low", "低"),
    Priority.MEDIUM: Label("medium", "中"),
    Priority.HIGH: Label("high", "高"),
    Priority.URGENT: Label("urgent", "紧急"),
}
_REASONS = {
    Reason.ABOVE_LIMIT: Label("above the limit", "高于限值"),
    Reason.BELOW_LIMIT: Label("below the limit", "低于限值"),
    Reason.WITHIN_LIMIT: Label("within the limit again", "已恢复正常"),
    Reason.STATE_ENTERED: Label("in an alarm state", "进入报警状态"),
    Reason.STATE_LEFT: Label("out of the alarm state again", "已离开报警状态"),
    Reason.CHANGING_FAST: Label("changes too fast", "变化过快"),
    Reason.STUCK: Label("does not change any more", "数值长时间不变"),
    Reason.OUT_OF_LIMIT_TOO_LONG: Label("out of the limit for too long in all", "累计超限时间过长"),
    Reason.NOT_REACHED_IN_TIME: Label("not there in time", "未在规定时间内达到"),
    Reason.DUTY_BEYOND_LIMIT: Label("runs too much or too little", "运行时间占比异常"),
    Reason.SHORT_CYCLES: Label("starts and stops too often", "启停过于频繁"),
    Reason.UNREADABLE: Label("sends readings that cannot be used", "读数无效"),
    Reason.DEFROST_WRONG: Label("a defrost is missing or does not end", "除霜缺失或不结束"),
    Reason.UNBALANCED: Label("the phases are loaded unequally", "三相不平衡"),
    Reason.MORE_ENERGY: Label("it uses more energy than it should", "用电多于应有水平"),
    Reason.CONDITIONS_MET: Label("several conditions hold together", "多个条件同时满足"),
    Reason.CONDITION_OVER: Label("this is over", "该情况已结束"),
    Reason.NO_DATA: Label("no data", "无数据"),
    Reason.DATA_RETURNED: Label("data again", "数据已恢复"),
    Reason.CONNECTION_LOST: Label("connection lost", "连接中断"),
    Reason.CONNECTION_BACK: Label("connected again", "连接已恢复"),
    Reason.STEPPED_UP: Label("worse than before", "情况加重"),
    Reason.STEPPED_DOWN: Label("better than before", "情况减轻"),
    Reason.RULE_CHANGED: Label("the rule was changed", "规则已修改"),
    Reason.RULE_REMOVED: Label("the rule was removed", "规则已删除"),
    Reason.POINT_REMOVED: Label("the point was removed", "测点已删除"),
    Reason.BY_PERSON: Label("by a person", "人工操作"),
    Reason.EXPIRED: Label("its time is over", "已到期"),
}
_WHYS = {
    Why.RAISED: Label("please acknowledge", "请确认"),
    Why.STEPPED_UP: Label("it got worse, please acknowledge", "情况加重，请确认"),
    Why.FOUND_LATE: Label("found late and still going on, please acknowledge", "发现较晚且仍在持续，请确认"),
    Why.OVERLAY_LIFTED: Label("no longer set aside, please acknowledge", "搁置已结束，请确认"),
    Why.PAST_EXCURSION: Label("this is over, but must be answered", "已结束，但仍需确认"),
    Why.INCIDENT: Label("please acknowledge", "请确认"),
    Why.INCIDENT_GRAVER: Label("it got worse, please acknowledge", "情况加重，请确认"),
    Why.ESCALATED: Label("please acknowledge", "请确认"),
    Why.RETURNED_UNANSWERED: Label("over, and still not acknowledged", "已结束，尚未确认"),
}
_ROLES = {
    "canteen_manager": Label("canteen manager", "食堂负责人"),
    "maintenance": Label("maintenance", "维修人员"),
}
_HEADLINES = {
    Action.PAGE: Label("Alarm", "报警"),
    Action.SUMMARY: Label("For your information", "通知"),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A transition, and what was decided about it; `incident`: which it is the head of, with the units to empty."""

    transition: Transition
    verdict: Verdict
    incident: Incident | None = None
    units: tuple[Unit, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One message of one site; `priority` is the highest in it (None when nobody said one)."""

    site: str
    action: Action
    priority: Priority | None
    title: str
    body: str


def compose(
    notices: Sequence[Notice], catalogue: Catalogue | None, language: str, rule_title: RuleTitle | None = None
) -> Message:
    """The message about notices (at least one) of one site and one action; without a catalogue it shows ids."""
    first = notices[0].transition
    action = notices[0].verdict.action
    gravest = sorted(notices, key=lambda notice: -_rank(notice.transition))
    lines = [
        line
        for notice in gravest[:MOST_LINES]
        for line in (
            *_incident_lines(notice, catalogue, language), _line(notice, catalogue, language, rule_title),
        )
    ]  # fmt: skip
    if len(notices) > MOST_LINES:
        rest = len(notices) - MOST_LINES
        lines.append(Label(f"… and {rest} more", f"……另有 {rest} 条").in_language(language))
    priority = gravest[0].transition.priority
    return Message(
        first.site, action, priority, _title(gravest, catalogue, action, priority, language), "\n".join(lines)
    )


def _title(
    gravest: Sequence[Notice], catalogue: Catalogue | None, action: Action, priority: Priority | None, language: str
) -> str:
    transition = gravest[0].transition
    site = transition.site if catalogue is None else catalogue.label.in_language(language)
    head = _HEADLINES[action].in_language(language)
    if action is Action.PAGE and priority is not None:
        word = _PRIORITIES[priority].in_language(language)
        head = Label(f"{head} ({word})", f"{head}（{word}）").in_language(language)
    asset = asset_name(transition.key.point, catalogue, language)
    more = "" if len(gravest) == 1 else f" +{len(gravest) - 1}"
    return Label(f"{head}: {site}, {asset}{more}", f"{head}：{site} {asset}{more}").in_language(language)


def _incident_lines(notice: Notice, catalogue: Catalogue | None, language: str) -> list[str]:
    """What has happened, what to do, and which cold units to empty first; nothing without an incident."""
    incident = notice.incident
    if incident is None:
        return []
    asset = None if catalogue is None else catalogue.assets_by_id.get(incident.root)
    where = incident.root if asset is None else asset.label.in_language(language) or incident.root
    title, count = incident.rule.title.in_language(language) or incident.rule.id, len(incident.episodes)
    alarms = "1 alarm" if count == 1 else f"{count} alarms"
    lines = [Label(f"{title} ({where}): {alarms} with one cause.", f"{title}（{where}）：同一原因 {count} 条报警。")]
    if incident.rule.response.en:
        lines.append(incident.rule.response)
    if notice.units:
        units = notice.units[:MOST_UNITS]
        lines.append(
            Label(
                "Empty first: " + "; ".join(_unit(one, "en") for one in units) + ".",
                "优先转移：" + "；".join(_unit(one, "zh") for one in units) + "。",
            )
        )
    return [line.in_language(language) for line in lines]


def _unit(one: Unit, language: str) -> str:
    name = one.asset.label.in_language(language) or one.asset.id
    if one.left is None:
        return Label(f"{name} (temperature not known)", f"{name}（温度未知）").in_language(language)
    minutes = one.left // MINUTE
    if minutes == 0:
        return Label(f"{name} (over the limit now)", f"{name}（已超限）").in_language(language)
    return Label(f"{name} (about {minutes} min)", f"{name}（约 {minutes} 分钟）").in_language(language)


def _line(notice: Notice, catalogue: Catalogue | None, language: str, rule_title: RuleTitle | None) -> str:
    transition, why = notice.transition, notice.verdict.why
    what = f"{asset_name(transition.key.point, catalogue, language)} · {_point(transition, catalogue, language)}"
    found = _REASONS[transition.reason].in_language(language)
    value = _value(transition, catalogue)
    title = None if rule_title is None else rule_title(transition.site, transition.key.rule)
    rule = transition.key.rule if title is None else title.in_language(language)
    when = _when(transition.at, catalogue)
    wish = _WHYS[why].in_language(language) if why in _WHYS else str(why)
    link = Label("since", "自") if notice.verdict.action is Action.PAGE else Label("at", "时间")
    time = f"{link.in_language(language)} {when}"
    if notice.verdict.action is Action.PAGE:
        time = Label(time, f"{time} 起").in_language(language)
    return Label(
        f"{what}: {f'{value}, ' if value else ''}{found} ({rule}), {time}. {wish[0].upper()}{wish[1:]}.",
        f"{what}：{f'{value}，' if value else ''}{found}（{rule}），{time}。{wish}。",
    ).in_language(language)


def role_name(role: str, language: str) -> str:
    """The role's name; its id where it has none."""
    return _ROLES[role].in_language(language) if role in _ROLES else role


def asset_name(point: str, catalogue: Catalogue | None, language: str) -> str:
    """The name of the point's asset; its id where the catalogue does not know it."""
    name = point.partition("/")[0]
    asset = None if catalogue is None else catalogue.assets_by_id.get(name)
    return name if asset is None else asset.label.in_language(language) or name


def _point(transition: Transition, catalogue: Catalogue | None, language: str) -> str:
    metric = transition.key.point.partition("/")[2]
    point = None if catalogue is None else catalogue.by_name.get(transition.key.point)
    return metric if point is None else point.label.in_language(language) or metric


def _value(transition: Transition, catalogue: Catalogue | None) -> str:
    """`9.25 °C`, the name of a state, or nothing when the transition has no number."""
    value = transition.value
    if value is None or value != value:
        return ""
    point = None if catalogue is None else catalogue.by_name.get(transition.key.point)
    if point is not None and (state := point.state_name(value)) is not None:
        return state
    number = f"{value:.2f}".rstrip("0").rstrip(".")
    return number if point is None or not point.unit.symbol else f"{number} {point.unit.symbol}"


def _when(at: int, catalogue: Catalogue | None) -> str:
    zone = "UTC" if catalogue is None else catalogue.timezone
    moment = from_ms(at).astimezone(ZoneInfo(zone))
    return f"{moment:%Y-%m-%d %H:%M}" + (" UTC" if zone == "UTC" else "")


def _rank(transition: Transition) -> int:
    return -1 if transition.priority is None else transition.priority.rank
