"""The loop of notify: take transitions from the outbox, decide, send, settle each once its channels have answered.

It is also the clock of what is set aside: an overlay ends here, because whoever must then be told is told here.

At least once: a crash between sending and settling sends that message again after the restart. Never endless: a channel
that does not answer is tried 50 times over about four hours; then the transition is settled with what went wrong, in
the delivery log and in the process log. A channel that hangs costs each round one attempt, after the others were
served. A fault of the operational store is not handled here: it ends the process, and the supervisor starts it again.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError
from domain.ports import Outbox
from domain.records import ProcessRow, SentNotice
from domain.times import SECOND
from notify.channels import Channel
from notify.decide import Action, RecentPages, decide
from notify.escalate import Due, Escalation, escalated
from notify.gathering import IncidentPlans, Incidents
from notify.message import Message, Notice, RuleTitle, compose
from notify.once import MOST_TRIES, Once, retry_after
from notify.recipients import Escalations, Recipients
from notify.weekly import WeeklyList, WeeklySettings

POLL = 1 * SECOND
BEAT = 5 * SECOND
TAKEN_AT_ONCE = 500  # transitions per round
MOST_UNSETTLED = 2_000  # transitions whose message is being tried; beyond it no new ones are taken until some settle
MOST_WAITING = 200  # late raises that wait for their end; beyond it they are decided at once

_log = structlog.get_logger("notify.worker")


@dataclass(slots=True)
class _Delivery:
    """A message on its way: which channels have not answered yet, and when they are asked again."""

    message: Message
    notices: list[Notice]
    waiting: list[Channel]
    due: int
    tries: int = 0
    outcomes: dict[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.asked = tuple(channel.name for channel in self.waiting)


class Worker:
    """One notify process. `step` is one round; it reads no clock and does not sleep."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Sequence[Channel] | Recipients,
        *,
        language: str = "zh",
        rule_title: RuleTitle | None = None,
        plans: IncidentPlans | None = None,
        escalations: Escalations | None = None,
        weekly: WeeklySettings | None = None,
    ) -> None:
        self._outbox = outbox
        self._recipients = channels if isinstance(channels, Recipients) else Recipients(tuple(channels))
        self._language, self._rule_title = language, rule_title
        self._plans, self._escalations = plans, escalations
        self._once = Once(outbox)
        self._escalation = (
            None if escalations is None else Escalation(outbox, self._once, self._recipients, escalations)
        )
        self._weekly = None if weekly is None else WeeklyList(outbox, self._once, self._recipients, weekly)
        self._pages = RecentPages()
        self._deliveries: list[_Delivery] = []
        self._waiting: set[int] = set()
        self._catalogues: dict[str, tuple[int, Catalogue | None]] = {}
        self._failing: set[str] = set()  # names of the channels whose last attempt failed
        self._sent = 0
        self._failed = 0

    @property
    def unsettled(self) -> int:
        """How many transitions have a message on its way."""
        return sum(len(delivery.notices) for delivery in self._deliveries)

    def figures(self) -> dict[str, int]:
        """What the process row says: messages delivered and given up, transitions on their way and waiting."""
        return {
            "sent": self._sent,
            "failed": self._failed,
            "unsettled": self.unsettled + self._once.pending,
            "waiting": len(self._waiting),
        }

    def step(self, now: int) -> None:
        """Lift what is set aside no longer, decide what is new, send what is due. `now` in UTC ms."""
        self._outbox.lift_expired(now)
        for message, notices in self._compose(self._take(now)):
            self._deliveries.append(_Delivery(message, notices, self._told_at_once(notices), now))
        failed_now: set[str] = set()
        for delivery in sorted(self._deliveries, key=lambda delivery: delivery.tries):
            if delivery.due <= now:
                self._send(delivery, now, failed_now)
        self._deliveries = [delivery for delivery in self._deliveries if delivery.waiting]
        self._tell_later(now)

    def _told_at_once(self, notices: Sequence[Notice]) -> list[Channel]:
        """The common channels, and those of the roles that the rules tell at once."""
        if self._escalations is None:
            return list(self._recipients.common)
        names = {(notice.transition.site, notice.transition.key.rule) for notice in notices}
        roles = [role for name in sorted(names) for role, after in self._escalations(*name) if after == 0]
        return list(self._recipients.at_once(roles))

    def _tell_later(self, now: int) -> None:
        """Whoever is told because nobody has answered, and the list of the week."""
        if self._escalation is not None:
            paged = [each for each in self._deliveries if each.message.action is Action.PAGE]
            on_the_way = {notice.transition.id for delivery in paged for notice in delivery.notices}
            incidents = Incidents(self._outbox, self._plans, now)

            def words(due: Due, notice: Notice) -> Message:
                return escalated(due, notice, now, self._catalogue(due.alarm.site), self._language, self._rule_title)

            self._escalation.step(now, on_the_way, incidents, words)
        if self._weekly is not None:
            self._weekly.step(now, self._catalogue, self._language, self._rule_title)
        self._once.step(now)

    def _take(self, now: int) -> list[Notice]:
        """The new transitions that somebody is told of; those that nobody is told of are settled here."""
        if self.unsettled >= MOST_UNSETTLED:
            return []
        on_the_way = {notice.transition.id for delivery in self._deliveries for notice in delivery.notices}
        pending = self._outbox.pending_notices(TAKEN_AT_ONCE + len(on_the_way) + len(self._waiting))
        told: list[Notice] = []
        untold: list[SentNotice] = []
        waiting: set[int] = set()
        incidents = Incidents(self._outbox, self._plans, now)
        for transition in pending:
            if transition.id in on_the_way:
                continue
            alarm = self._outbox.alarm(transition.site, transition.key)
            last = self._pages.last(transition)
            may_wait = len(waiting) < MOST_WAITING
            notice = incidents.weigh(transition, decide(transition, alarm, last, now, may_wait=may_wait), may_wait)
            verdict = notice.verdict
            self._pages.note(transition, verdict, now)
            match verdict.action:
                case Action.WAIT:
                    waiting.add(transition.id)
                case Action.NONE:
                    untold.append(SentNotice(transition.id, str(verdict), "", now, ""))
                case Action.PAGE | Action.SUMMARY:
                    told.append(notice)
        self._outbox.settle_notices(untold)
        self._waiting = waiting
        return told

    def _compose(self, notices: Sequence[Notice]) -> list[tuple[Message, list[Notice]]]:
        """One message per site and action; pages first."""
        groups: dict[tuple[bool, str], list[Notice]] = {}
        for notice in notices:
            groups.setdefault((notice.verdict.action is not Action.PAGE, notice.transition.site), []).append(notice)
        return [
            (compose(group, self._catalogue(site), self._language, self._rule_title), group)
            for (_, site), group in sorted(groups.items(), key=lambda entry: entry[0])
        ]

    def _send(self, delivery: _Delivery, now: int, failed_now: set[str]) -> None:
        """Ask the channels that have not answered, but none that failed in this round already; settle at the end."""
        asked = [channel for channel in delivery.waiting if channel.name not in failed_now]
        if delivery.waiting and not asked:
            return
        delivery.tries += 1
        for channel in sorted(asked, key=lambda channel: channel.name in self._failing):
            answer = channel.send(delivery.message)
            if answer.delivered:
                delivery.outcomes[channel.name] = "sent"
                delivery.waiting.remove(channel)
                self._failing.discard(channel.name)
            else:
                delivery.outcomes[channel.name] = f"failed: {answer.detail}"
                self._failing.add(channel.name)
                failed_now.add(channel.name)
                _log.warning("not delivered", channel=channel.name, tries=delivery.tries, why=answer.detail)
        if delivery.waiting and delivery.tries < MOST_TRIES:
            delivery.due = now + retry_after(delivery.tries)
        else:
            self._settle(delivery, now)

    def _settle(self, delivery: _Delivery, now: int) -> None:
        if delivery.waiting:
            names = [channel.name for channel in delivery.waiting]
            _log.error("given up", channels=names, tries=delivery.tries, title=delivery.message.title)
            self._failed += 1
        else:
            self._sent += 1
        delivery.waiting = []
        said = {name: delivery.outcomes.get(name, "not asked") for name in delivery.asked}
        channels = ", ".join(said)
        outcome = "; ".join(f"{name} {word}" for name, word in said.items()) or "no channel"
        self._outbox.settle_notices(
            [
                SentNotice(notice.transition.id, str(notice.verdict), channels, now, outcome)
                for notice in delivery.notices
            ]
        )

    def _catalogue(self, site: str) -> Catalogue | None:
        """The names of the site's present revision; None when there is none, or none that can be read."""
        revision = self._outbox.site_revision(site)
        if revision is None:
            return None
        known = self._catalogues.get(site)
        if known is None or known[0] != revision.number:
            known = (revision.number, _load(revision.documents))
            self._catalogues[site] = known
        return known[1]


def run(
    outbox: Outbox,
    channels: Sequence[Channel] | Recipients,
    clock: Callable[[], int],
    stop: threading.Event,
    *,
    language: str = "zh",
    rule_title: RuleTitle | None = None,
    plans: IncidentPlans | None = None,
    escalations: Escalations | None = None,
    weekly: WeeklySettings | None = None,
) -> None:
    """Work until `stop` is set. `clock` gives UTC ms; `rule_title` gives the names of rules (else ids are shown),
    `plans` a site's incident rules (else every alarm is told by itself), `escalations` who is told later (else
    nobody), `weekly` what the weekly list needs (else there is none)."""
    worker = Worker(
        outbox, channels, language=language, rule_title=rule_title, plans=plans, escalations=escalations, weekly=weekly
    )
    started = clock()
    beaten = started - BEAT
    while not stop.is_set():
        now = clock()
        worker.step(now)
        if now - beaten >= BEAT:
            beaten = now
            info = msgspec.json.encode(worker.figures()).decode()
            outbox.beat(ProcessRow("notify", os.getpid(), started, now, info))
        stop.wait(POLL / 1000)


def _load(documents: Sequence[tuple[str, str]]) -> Catalogue | None:
    try:
        return next((load_catalogue(text, name) for name, text in documents), None)
    except CaretakerError as error:
        _log.warning("the site's names cannot be read", why=error.message)
        return None
