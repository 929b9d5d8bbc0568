"""Once a week: which alarms cried wolf, and what would help, for the roles that look after the rules.

Due at the same moment of every week in the site's own time zone. What stands in it is figured elsewhere (`look`, given
by the wiring, in a thread of its own: it judges stored readings again, and no page must wait for that). It decides when
it is sent, to whom, and the words. Exactly one per week and channel, across restarts: the week is the subject under
which `notify.once` keeps what was sent. A week with nothing to say is one line, so that silence means a fault.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import structlog

from domain.alarms import AlarmKey, Priority
from domain.catalogue import Catalogue, Label
from domain.ports import Outbox
from domain.times import DAY, MINUTE, from_ms, parse_duration
from domain.weekly import Weekly
from notify.channels import Channel
from notify.decide import Action
from notify.message import Message, RuleTitle, asset_name
from notify.once import Once
from notify.recipients import Recipients

EVERY = MINUTE  # how often it is looked whether a week is over
AGAIN = 10 * MINUTE  # after figures that could not be made
SPAN = 7 * DAY
PREFIX = "weekly:"

_log = structlog.get_logger("notify.weekly")


@dataclass(frozen=True, slots=True)
class BadOne:
    """An alarm that cried wolf: how often it spoke, how often it was over before anybody could act, how often people
    called it a nuisance; the change that would help (`on_delay 45min`, empty: none) and how many it would spare."""

    key: AlarmKey
    count: int
    lapsed: int
    nuisance: int
    change: str = ""
    spared: int = 0


@dataclass(frozen=True, slots=True)
class Week:
    """What a week was: all alarms that people were told of, and the bad ones, the worst first."""

    told: int
    bad: tuple[BadOne, ...]


Look = Callable[[str, int, int], Week]  # (site, start, end) in UTC ms


@dataclass(frozen=True)
class WeeklySettings:
    """When it is due, for which roles, who makes the figures, and in which thread."""

    when: Weekly
    to: tuple[str, ...]
    look: Look
    threads: Executor


class WeeklyList:
    """The weekly lists of all sites. `step` is one round; it reads no clock and does not wait."""

    def __init__(self, outbox: Outbox, once: Once, recipients: Recipients, settings: WeeklySettings) -> None:
        self._outbox, self._once, self._settings = outbox, once, settings
        self._channels: tuple[Channel, ...] = recipients.later(settings.to)
        self._looked: int | None = None
        self._figures: dict[str, Future[Week]] = {}
        self._not_before: dict[str, int] = {}

    def step(
        self, now: int, catalogue: Callable[[str], Catalogue | None], language: str, title: RuleTitle | None
    ) -> None:
        """Have sent what is due."""
        if self._looked is not None and 0 <= now - self._looked < EVERY and not self._ready():
            return
        self._looked = now
        for site in self._outbox.sites():
            about = catalogue(site)
            if about is not None:
                self._site(site, about, now, language, title)

    def _ready(self) -> bool:
        return any(future.done() for future in self._figures.values())

    def _site(self, site: str, catalogue: Catalogue, now: int, language: str, title: RuleTitle | None) -> None:
        due = self._settings.when.last(now, catalogue.timezone)
        subject = f"{PREFIX}{site}:{from_ms(due):%Y-%m-%d}"
        since = self._outbox.commissioned_at(site)
        # A site that went live since has no week behind it.
        if since is None or since >= due or self._once.settled(subject, self._channels):
            return
        future = self._figures.get(subject)
        if future is None:
            if now >= self._not_before.get(subject, 0):
                self._figures[subject] = self._settings.threads.submit(self._settings.look, site, due - SPAN, due)
            return
        if not future.done():
            return
        del self._figures[subject]
        failed = future.exception()
        if failed is not None:
            self._not_before = {subject: now + AGAIN}
            _log.warning("the weekly list could not be made", site=site, why=str(failed))
            return
        week = future.result()
        self._once.send(
            subject, site, self._channels, now, lambda: weekly_message(site, week, catalogue, language, title)
        )


def weekly_message(site: str, week: Week, catalogue: Catalogue, language: str, rule_title: RuleTitle | None) -> Message:
    """The list in a few lines; one line when no alarm was bad."""
    name = catalogue.label.in_language(language) or site
    title = Label(f"Weekly list of bad alarms: {name}", f"每周不良报警清单：{name}").in_language(language)
    if not week.bad:
        line = Label(
            f"{week.told} alarms were told this week, none of them a nuisance: nothing to do.",
            f"本周共 {week.told} 次报警，没有误扰报警，无需处理。",
        ).in_language(language)
        return Message(site, Action.SUMMARY, None, title, line)
    head = Label(
        f"{week.told} alarms were told this week. These disturbed for nothing; try a change on the page Rules:",
        f"本周共 {week.told} 次报警。以下报警多为误扰，可在“规则”页试算修改：",
    ).in_language(language)
    lines = [_line(site, one, catalogue, language, rule_title) for one in week.bad]
    return Message(site, Action.SUMMARY, Priority.LOW, title, "\n".join([head, *lines]))


def _line(site: str, one: BadOne, catalogue: Catalogue, language: str, rule_title: RuleTitle | None) -> str:
    known = None if rule_title is None else rule_title(site, one.key.rule)
    rule = one.key.rule if known is None else known.in_language(language) or one.key.rule
    asset = asset_name(one.key.point, catalogue, language)
    what = Label(
        f"{asset} · {rule}: {one.count} times, {one.lapsed} over before anybody could act, "
        f"{one.nuisance} called a nuisance.",
        f"{asset} · {rule}：{one.count} 次，其中 {one.lapsed} 次来不及处置已结束，{one.nuisance} 次被标为误扰。",
    ).in_language(language)
    return f"{what} {_advice(one, language)}"


_CHANGES: Mapping[str, Label] = {
    "on_delay": Label("raise it after {0} only", "报警延时改为 {0}"),
    "off_delay": Label("let it be over only after {0}", "恢复延时改为 {0}"),
    "deadband": Label("clear it only {0} inside the limit", "回差改为 {0}"),
}


def _advice(one: BadOne, language: str) -> str:
    word, _, value = one.change.partition(" ")
    if word not in _CHANGES:
        return Label(
            "No delay would help without hiding something real: look for the cause at the asset.",
            "调整延时无益，会隐藏真实超限：请从设备查找原因。",
        ).in_language(language)
    shown = value
    if word != "deadband":
        minutes = parse_duration(value) // MINUTE
        shown = Label(f"{minutes} min", f"{minutes} 分钟").in_language(language)
    change = _CHANGES[word].in_language(language).format(shown)
    return Label(
        f"Would help: {change} ({one.spared} fewer in the last 30 days, nothing real hidden).",
        f"建议：{change}（近 30 天可减少 {one.spared} 次，不隐藏真实超限）。",
    ).in_language(language)
