"""How good the alarms themselves are: the figures of ISA-18.2 / IEC 62682, per site and per role.

For whoever looks after the rules: too many alarms, and people stop looking at any. It decides what is counted and how;
it must not judge a rule (that is `rules.suggest`'s proposal and a person's decision). Pure: a log in, figures out.

What is counted is an *annunciation*: a raise that people were told of, hence no raise under an overlay and none before
commissioning. Rates and floods go by when it was known (that is when people were told), durations by event time. Target
figures are those that docs/quality.md cites; a canteen sets its own, lower ones.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from domain.alarms import AlarmKey, Nuisance, Priority
from domain.episodes import Episode
from domain.times import DAY, HOUR, MINUTE

PERIOD = 10 * MINUTE
FLOOD_BEGINS = 10  # more than so many in a period
FLOOD_ENDS = 5  # fewer than so many in a period
CHATTER_COUNT, CHATTER_SPAN = 3, MINUTE
FLEETING = MINUTE
STALE = DAY
WORST = 10
UNRESPONSIVE = 10 * MINUTE  # where a rule does not say how long people have


@dataclass(frozen=True, slots=True)
class Targets:
    """What is asked of one operator, over 30 days or more. Source: ISA-18.2 / IEC 62682, as in docs/quality.md."""

    per_hour: float = 6.0
    most_per_hour: float = 12.0
    busy_periods: float = 0.01  # share of ten-minute periods with more than 10
    worst_share: float = 0.05  # of the ten worst alarms together
    stale: int = 5
    chattering: int = 0
    fleeting: int = 0


TARGETS = Targets()


@dataclass(frozen=True, slots=True)
class Flood:
    """More than ten annunciations in ten minutes, until a period has fewer than five; UTC ms, `end` exclusive."""

    start: int
    end: int
    count: int


@dataclass(frozen=True, slots=True)
class BadActor:
    """One alarm and its part in the load; `lapsed`: cleared within the time to respond with no answer."""

    key: AlarmKey
    count: int
    share: float
    active: int  # ms in all
    chattering: int
    fleeting: int
    lapsed: int
    nuisance: int  # marked so by people


@dataclass(frozen=True, slots=True)
class Quality:
    """The figures of one span for one site or role; shares are 0 to 1 (0.0 where nothing was counted)."""

    start: int
    end: int
    annunciated: int
    hidden: int
    past: int
    per_hour: float
    busiest_period: int
    busy_periods: float
    floods: tuple[Flood, ...]
    in_flood: float
    bad_actors: tuple[BadActor, ...]
    worst_share: float
    chattering: tuple[AlarmKey, ...]
    fleeting: int
    stale: tuple[Episode, ...]
    priorities: Mapping[Priority, float]
    answered: int
    median_answer: int | None  # ms from known to acknowledged
    lapsed: int
    nuisance: Mapping[Nuisance, int]


def quality(
    log: Sequence[Episode], start: int, end: int, respond: Mapping[str, int] = MappingProxyType({}), operators: int = 1
) -> Quality:
    """The figures over start <= known < end (UTC ms). `respond`: rule -> time to respond (ms). The rate is per person.

    `operators`: people who share the load. ValueError when the span is empty or there is nobody.
    """
    if end <= start or operators < 1:
        raise ValueError("a span and at least one operator are needed")
    within = [one for one in log if start <= one.known_at < end and one.owed]
    told = [one for one in within if not one.hidden]
    actors = _actors(told, end, respond)
    counts = _per_period(told, start, end)
    floods = _floods(counts, start, end)
    answers = sorted(one.answered_at - one.known_at for one in told if one.answered_at is not None)
    return Quality(
        start=start,
        end=end,
        annunciated=len(told),
        hidden=len(within) - len(told),
        past=sum(one.past for one in told),
        per_hour=len(told) / ((end - start) / HOUR) / operators,
        busiest_period=max(counts),
        busy_periods=sum(count > FLOOD_BEGINS for count in counts) / len(counts),
        floods=floods,
        in_flood=sum(one.end - one.start for one in floods) / (end - start),
        bad_actors=actors,
        worst_share=sum(one.count for one in actors[:WORST]) / len(told) if told else 0.0,
        chattering=tuple(one.key for one in actors if one.chattering),
        fleeting=sum(one.fleeting for one in actors),
        stale=_stale(log, start, end),
        priorities=_shares(told),
        answered=len(answers),
        median_answer=answers[len(answers) // 2] if answers else None,
        lapsed=sum(one.lapsed for one in actors),
        nuisance=Counter(one.nuisance for one in told if one.nuisance is not None),
    )


def of_rules(log: Sequence[Episode], rules: Collection[str]) -> list[Episode]:
    """The episodes of those rules: what one role is told of."""
    return [one for one in log if one.key.rule in rules]


def lapsed(one: Episode, respond: Mapping[str, int]) -> bool:
    """Whether it was over, unanswered, before people's time to respond was: nobody could have done anything."""
    if one.cleared_at is None or (one.answered_at is not None and one.answered_at <= one.cleared_at):
        return False
    return one.cleared_at - one.raised_at < respond.get(one.key.rule, UNRESPONSIVE)


def _actors(told: Sequence[Episode], end: int, respond: Mapping[str, int]) -> tuple[BadActor, ...]:
    grouped: dict[AlarmKey, list[Episode]] = defaultdict(list)
    for one in told:
        grouped[one.key].append(one)
    actors = [
        BadActor(
            key=key,
            count=len(mine),
            share=len(mine) / len(told),
            active=sum(one.active_for(end) for one in mine),
            chattering=_chattering(sorted(one.raised_at for one in mine)),
            fleeting=sum(one.cleared_at is not None and one.active_for(end) < FLEETING for one in mine),
            lapsed=sum(lapsed(one, respond) for one in mine),
            nuisance=sum(one.nuisance is not None for one in mine),
        )
        for key, mine in grouped.items()
    ]
    return tuple(sorted(actors, key=lambda one: (-one.count, -one.active, one.key)))


def _chattering(raised: Sequence[int]) -> int:
    """How many raises are the third or later within a minute."""
    ahead = CHATTER_COUNT - 1
    return sum(raised[place] - raised[place - ahead] <= CHATTER_SPAN for place in range(ahead, len(raised)))


def _per_period(told: Sequence[Episode], start: int, end: int) -> list[int]:
    """Annunciations in each ten minutes from `start`; the last period may be shorter."""
    counts = Counter((one.known_at - start) // PERIOD for one in told)
    return [counts.get(number, 0) for number in range(-(-(end - start) // PERIOD))]


def _floods(counts: Sequence[int], start: int, end: int) -> tuple[Flood, ...]:
    found: list[Flood] = []
    begun: int | None = None
    total = 0
    for number, count in enumerate([*counts, 0]):
        if begun is None and count > FLOOD_BEGINS:
            begun, total = number, 0
        if begun is None:
            continue
        if count < FLOOD_ENDS:
            found.append(Flood(start + begun * PERIOD, min(end, start + number * PERIOD), total))
            begun = None
        else:
            total += count
    return tuple(found)


def _stale(log: Sequence[Episode], start: int, end: int) -> tuple[Episode, ...]:
    """Those that were active for more than a day at some moment of the span."""
    return tuple(
        one
        for one in log
        if one.owed
        and not one.hidden
        and one.raised_at < end
        and (one.cleared_at is None or one.cleared_at > start)
        and one.active_for(end) > STALE
    )


def _shares(told: Sequence[Episode]) -> Mapping[Priority, float]:
    counts = Counter(one.priority for one in told)
    return {priority: counts[priority] / len(told) if told else 0.0 for priority in Priority}
