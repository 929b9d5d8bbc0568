"""What a person does about the rules: see how good the alarms are, try a change on stored history, save it guarded.

Behind both the JSON routes and the command line. It decides nothing about alarms: figures come from `rules.quality`,
the effect of a change from `rules.compare`, what the law locks from `rules.guard`. Everything is bounded: how much of
the log, how many readings, how long a span.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from api.knowledge import Knowledge, SiteKnowledge
from domain.alarms import AlarmKey, Transition
from domain.episodes import Episode, episodes
from domain.errors import CaretakerError, ConflictError
from domain.ports import Console, History
from domain.records import Revision, TransitionFilter
from domain.times import DAY
from rules.as_records import quality_record
from rules.compare import Comparison, Loss, Mark, compare, concerned, response_times
from rules.guard import LegalLimitError, Loosening, loosenings
from rules.loading import load_documents
from rules.matching import Finding, Weight, check_against
from rules.model import RuleSet
from rules.quality import WORST, BadActor, Quality, of_rules, quality
from rules.stored_rows import stored_rows
from rules.suggest import Suggestion, suggest

EARLIER = 35 * DAY  # how far before a span the log is read for what was raised then
MOST_LOG = 200_000
LONGEST_TRIAL = 400 * DAY
NO_DELAY_HELPS = "no delay would help without hiding something real: look for the cause at the asset"
_LOG_PAGE = 1_000

Documents = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Report:
    """Alarm quality of a site: all of it, and the part of each role that a rule tells at once."""

    whole: Quality
    roles: Mapping[str, Quality]


@dataclass(frozen=True, slots=True)
class Trial:
    """A change of rules, tried: what it does to stored history, and what speaks against saving it."""

    effect: Comparison
    loosened: tuple[Loosening, ...]
    findings: tuple[Finding, ...]

    @property
    def fits(self) -> bool:
        """Whether every rule works at the site."""
        return not any(one.weight is Weight.ERROR for one in self.findings)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person says who saves rules: why, how many hidden real excursions were seen and are accepted, and which
    revision they saw (None: whichever is in force)."""

    why: str = ""
    accept_hidden: int = 0
    revision: int | None = None


def worth_a_change(actor: BadActor) -> bool:
    """Whether it repeated itself within a minute, or most of it had lapsed or was marked a nuisance."""
    return bool(actor.chattering) or (actor.lapsed + actor.nuisance) * 2 > actor.count


def report_record(report: Report, suggestions: Mapping[AlarmKey, str]) -> dict[str, object]:
    """The report for programs; see `rules.as_records`."""
    roles = {role: quality_record(one, suggestions, WORST) for role, one in report.roles.items()}
    return {"site": quality_record(report.whole, suggestions, WORST), "roles": roles}


class RuleDesk:
    """The operations; safe to call from several threads when the stores are. `clock` gives UTC ms."""

    def __init__(self, console: Console, history: History, knowledge: Knowledge, clock: Callable[[], int]) -> None:
        self._console = console
        self._history = history
        self._knowledge = knowledge
        self._clock = clock

    def report(self, site: str, start: int, end: int) -> Report:
        """The figures over [start, end), UTC ms. NotFoundError; CaretakerError when the log is too long for it."""
        known = self._knowledge.of(site)
        log = self.episodes(site, start - EARLIER, end)
        respond = response_times(known.rules)
        told: dict[str, list[str]] = {}
        for rule in known.rules.rules.values():
            for role, after in zip(rule.escalate.to, rule.escalate.after, strict=True):
                if after == 0:
                    told.setdefault(role, []).append(rule.id)
        roles = {role: quality(of_rules(log, set(ids)), start, end, respond) for role, ids in sorted(told.items())}
        return Report(quality(log, start, end, respond), MappingProxyType(roles))

    def episodes(self, site: str, start: int, end: int) -> list[Episode]:
        """Every episode of the log with event times in [start, end)."""
        return episodes(self._log(site, start, end))

    def suggestions(self, site: str, report: Report, most: int) -> dict[AlarmKey, str]:
        """For those of the `most` worst alarms that are worth a change: what would help, tried, in a sentence."""
        found: dict[AlarmKey, str] = {}
        for actor in report.whole.bad_actors[:most]:
            if worth_a_change(actor):
                tried = self.suggestion(site, actor.key, report.whole.start, report.whole.end)
                found[actor.key] = NO_DELAY_HELPS if tried is None else f"{tried.change}: {tried.effect.sentence}"
        return found

    def suggestion(self, site: str, key: AlarmKey, start: int, end: int) -> Suggestion | None:
        """A change of the alarm's delays that would have removed noise in [start, end), or None."""
        known = self._knowledge.of(site)
        asset = key.point.partition("/")[0]
        points = [one.name for one in known.catalogue.points() if one.name.partition("/")[0] == asset]
        rows = stored_rows(self._history, site, points, start, end)
        return suggest(key, known.rules, rows, known.catalogue, self.marks(site, start, end))

    def try_rules(self, site: str, documents: Documents, start: int, end: int) -> Trial:
        """What these documents would have said otherwise in [start, end). InputError with file and line for a bad one;
        nothing is saved."""
        if end - start > LONGEST_TRIAL:
            raise CaretakerError("a trial takes at most 400 days of history", "choose a later start")
        known = self._knowledge.of(site)
        after = load_documents(list(documents))
        return self._trial(known, after, start, end)

    def save_rules(self, site: str, documents: Documents, by: str, days: int, wish: Wish | None = None) -> Revision:
        """Make these documents the site's rules.

        LegalLimitError when they loosen a legal limit. ConflictError when, over the last `days`, they would have hidden
        more real excursions than the person has seen and accepts, or when the rules changed since the revision that
        the person saw; nothing is saved then.
        """
        now, wish = self._clock(), wish or Wish()
        present = self._knowledge.of(site).rules_revision
        if wish.revision is not None and wish.revision != present:
            raise ConflictError(
                f"the rules have revision {present}, not {wish.revision}",
                "somebody saved meanwhile: look at them again",
            )
        trial = self.try_rules(site, documents, now - days * DAY, now)
        if not trial.fits:
            wrong = [str(one) for one in trial.findings if one.weight is Weight.ERROR]
            raise CaretakerError(f"the rules do not fit the site {site}: {'; '.join(wrong)}", "mend the lines named")
        if trial.loosened:
            raise LegalLimitError(list(trial.loosened))
        hidden = trial.effect.count(Loss.REAL)
        if hidden > wish.accept_hidden:
            raise ConflictError(
                f"over the last {days} days the change {trial.effect.sentence}",
                f"look at them (rules/try); to save it all the same, send accept_hidden: {hidden}",
            )
        return self._console.apply_rules(site, documents, by, now, wish.why)

    def marks(self, site: str, start: int, end: int) -> list[Mark]:
        """What people marked as a nuisance of what was raised in [start, end)."""
        return [
            Mark(one.key.rule, one.key.point, one.raised_at)
            for one in self.episodes(site, start - EARLIER, end)
            if one.nuisance is not None and one.raised_at >= start
        ]

    def _trial(self, known: SiteKnowledge, after: RuleSet, start: int, end: int) -> Trial:
        site, catalogue = known.catalogue.site, known.catalogue
        points = concerned(known.rules, after, catalogue)
        rows = stored_rows(self._history, site, points, start, end)
        effect = compare(known.rules, after, rows, catalogue, self.marks(site, start, end), end)
        loosened = tuple(loosenings(known.rules, after, catalogue))
        return Trial(effect, loosened, tuple(check_against(after, catalogue)))

    def _log(self, site: str, start: int, end: int) -> Iterator[Transition]:
        after, count = 0, 0
        while True:
            where = TransitionFilter(site, after=after, start=start, end=end)
            page = self._console.transitions(where, _LOG_PAGE, newest_first=False)
            yield from page
            count += len(page)
            if len(page) < _LOG_PAGE:
                return
            if count >= MOST_LOG:
                raise CaretakerError(f"more than {MOST_LOG} transitions in that span", "ask for a shorter one")
            after = page[-1].id
