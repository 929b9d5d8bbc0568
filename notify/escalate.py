"""Who else is told when nobody answers: the later roles of a rule's `escalate`, each once, when its time has come.

Looks at the alarms that still want an answer. The time counts from the first page of the unanswered alarm, so an alarm
that comes and goes unanswered is as urgent as one that stays; who answers starts it anew. What was paged to nobody goes
to nobody later: a child of an incident follows the incident, whose cause (or first alarm) is the one that escalates.
Nothing is told of what is over, set aside, silenced, or was answered meanwhile.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from domain.alarms import Alarm, AlarmState, Transition
from domain.catalogue import Catalogue, Label
from domain.lifecycle import LIFTS
from domain.ports import Outbox
from domain.records import AlarmFilter, TransitionFilter
from domain.times import MINUTE, SECOND
from notify.decide import UNANSWERED, Action, Verdict, Why
from notify.gathering import Incidents
from notify.message import Message, Notice, RuleTitle, compose, role_name
from notify.once import Once
from notify.recipients import Escalations, Recipients

EVERY = 5 * SECOND  # how often the open alarms are looked at
MOST_ALARMS = 500  # the most pressing; beyond it the roles have enough to do
MOST_LOG = 200  # transitions of one alarm in which its first page is looked for; beyond it, the oldest of these counts
PREFIX = "escalation:"

_WANTING = (AlarmState.UNACKNOWLEDGED, AlarmState.LATCHED_UNACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class Due:
    """An alarm that `role` is told of now, because nobody has answered since `told` was paged."""

    alarm: Alarm
    told: Transition
    role: str

    @property
    def subject(self) -> str:
        """Under which it is kept that the role was told: the same page escalates to a role once."""
        return f"{PREFIX}{self.told.id}:{self.role}"


def unanswered_since(log: Sequence[Transition]) -> list[Transition]:
    """The transitions since the alarm wants an answer, oldest first. `log`: newest first."""
    found: list[Transition] = []
    for one in log:
        found.append(one)
        opened = one.target in UNANSWERED and (one.source not in UNANSWERED or one.event in LIFTS)
        if opened:
            break
    return found[::-1]


class Escalation:
    """The escalations of one notify process. `step` is one round; it reads no clock."""

    def __init__(self, outbox: Outbox, once: Once, recipients: Recipients, escalations: Escalations) -> None:
        self._outbox, self._once, self._recipients, self._escalations = outbox, once, recipients, escalations
        self._told: dict[tuple[str, str, str], tuple[int, Transition]] = {}  # alarm -> its version, and its first page
        self._looked: int | None = None

    def step(
        self, now: int, on_the_way: Collection[int], incidents: Incidents, words: Callable[[Due, Notice], Message]
    ) -> None:
        """Have told whoever is due. `on_the_way`: transitions whose page is being tried."""
        if self._looked is not None and 0 <= now - self._looked < EVERY:
            return
        self._looked = now
        due = list(self._due(now, on_the_way))
        self._once.keep(PREFIX, {one.subject for one in due})
        for one in due:
            channels = self._recipients.later((one.role,))
            if self._once.settled(one.subject, channels):
                continue
            notice = incidents.weigh(one.told, Verdict(Action.PAGE, Why.RAISED), may_wait=False)
            if notice.verdict.action is not Action.PAGE:  # an incident has claimed it since
                continue
            told = Notice(one.told, Verdict(Action.PAGE, Why.ESCALATED), notice.incident, notice.units)
            self._once.send(one.subject, one.alarm.site, channels, now, partial(words, one, told))

    def _due(self, now: int, on_the_way: Collection[int]) -> Iterator[Due]:
        found, _ = self._outbox.alarms(AlarmFilter(states=_WANTING), MOST_ALARMS)
        open_ones = [one for one in found if not one.set_aside(now) and one.silenced_at is None]
        names = {(one.site, *one.key) for one in found}
        self._told = {name: known for name, known in self._told.items() if name in names}
        for alarm in open_ones:
            later = [(role, after) for role, after in self._escalations(alarm.site, alarm.key.rule) if after > 0]
            told = self._first_page(alarm, on_the_way) if later else None
            if told is not None:
                yield from (Due(alarm, told, role) for role, after in later if now >= told.detected_at + after)

    def _first_page(self, alarm: Alarm, on_the_way: Collection[int]) -> Transition | None:
        """The first page of the alarm since it wants an answer; None while nobody was paged."""
        name = (alarm.site, *alarm.key)
        known = self._told.get(name)
        if known is not None and known[0] == alarm.version:
            return known[1]
        where = TransitionFilter(alarm.site, alarm.key.rule, alarm.key.point)
        since = unanswered_since(self._outbox.transitions(where, MOST_LOG))
        decided = self._outbox.notices_of([one.id for one in since])
        for one in since:
            if one.id in on_the_way or (one.id in decided and decided[one.id].decision.startswith(f"{Action.PAGE}:")):
                self._told[name] = (alarm.version, one)
                return one
        return None


def escalated(
    due: Due, notice: Notice, now: int, catalogue: Catalogue | None, language: str, rule_title: RuleTitle | None
) -> Message:
    """The message of an escalation: that nobody has answered for so long and whom this goes to, then the alarm."""
    plain = compose([notice], catalogue, language, rule_title)
    minutes = (now - due.told.detected_at) // MINUTE
    english, chinese = role_name(due.role, "en"), role_name(due.role, "zh")
    line = Label(
        f"Nobody has answered for {minutes} min. This goes to: {english}.",
        f"已 {minutes} 分钟无人确认，现通知：{chinese}。",
    ).in_language(language)
    title = Label(f"Unanswered: {plain.title}", f"无人确认：{plain.title}").in_language(language)
    return Message(plain.site, plain.action, plain.priority, title, f"{line}\n{plain.body}")
