"""The rules of a site as a person reads and changes them: what is in force, one rule's values, and what was before.

For the page and for programs. It finds and rewrites; what a change would do and whether it may be saved is
`api.rule_desk`'s. Bounded: a page of the history has fifty revisions, a difference at most 400 lines.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from enum import StrEnum

from api.knowledge import Knowledge
from api.rule_desk import RuleDesk
from domain.errors import CaretakerError, NotFoundError
from domain.ports import Console
from domain.records import Revision
from domain.times import DAY
from rules.edit import Field, with_added, with_rule, with_values, written
from rules.loading import load_revision
from rules.matching import select
from rules.model import BasisKind, Rule, RuleSet

HISTORY_PAGE = 50
MOST_LINES = 400
_AROUND = 2  # unchanged lines shown on each side of a changed one

Texts = tuple[tuple[str, str], ...]


class How(StrEnum):
    """What a revision did to a rule."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class InForce:
    """A rule, the points that it judges, and how many alarms of it people were told of."""

    rule: Rule
    points: tuple[str, ...]
    told: int

    @property
    def legal(self) -> bool:
        """Whether its limit comes from the law."""
        return self.rule.basis is not None and self.rule.basis.kind is BasisKind.LEGAL


@dataclass(frozen=True, slots=True)
class Opened:
    """A rule as it can be changed: of which revision and document, its values for a form, its whole text."""

    rule: Rule
    points: tuple[str, ...]
    revision: Revision
    document: str
    fields: tuple[Field, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One rule that a revision changed."""

    rule: str
    how: How


class RuleBook:
    """The operations; safe to call from several threads when the store is."""

    def __init__(self, console: Console, knowledge: Knowledge, desk: RuleDesk, clock: Callable[[], int]) -> None:
        self._console = console
        self._knowledge = knowledge
        self._desk = desk
        self._clock = clock

    def listed(self, site: str, days: int) -> list[InForce]:
        """Every rule in force, in the files' order; alarms are counted over the last `days`. NotFoundError."""
        known, now = self._knowledge.of(site), self._clock()
        report = self._desk.report(site, now - days * DAY, now + 1)
        told: Counter[str] = Counter()
        for actor in report.whole.bad_actors:
            told[actor.key.rule] += actor.count
        return [
            InForce(rule, tuple(point.name for point in select(rule, known.catalogue)), told[rule.id])
            for rule in known.rules.rules.values()
        ]

    def revision_in_force(self, site: str) -> int:
        """Its number; 0 when rules were never saved. NotFoundError for an unknown site."""
        return self._knowledge.of(site).rules_revision

    def opened(self, site: str, rule: str) -> Opened:
        """One rule. NotFoundError when it is not in force."""
        found = self.all_opened(site).get(rule)
        if found is None:
            raise NotFoundError(f"the site {site!r} has no rule {rule!r}", "list them: /rules")
        return found

    def all_opened(self, site: str) -> dict[str, Opened]:
        """Every rule in force by id."""
        known = self._knowledge.of(site)
        revision = self._console.rules_revision(site)
        if revision is None:
            return {}
        return {
            rule: Opened(
                known.rules.rules[rule],
                tuple(point.name for point in select(known.rules.rules[rule], known.catalogue)),
                revision,
                known.rules.places[rule].file,
                shown.fields,
                shown.text,
            )
            for rule, shown in written(revision.documents).items()
            if rule in known.rules.rules  # somebody may be saving others right now
        }

    def with_values(self, site: str, rule: str, values: Mapping[str, str]) -> Texts:
        """The site's documents with these values of the rule. InputError, CaretakerError with a remedy."""
        return with_values(self._present(site).documents, rule, values)

    def with_text(self, site: str, rule: str, text: str) -> Texts:
        """The site's documents with the rule written anew. InputError with file and line."""
        return with_rule(self._present(site).documents, rule, text)

    def with_added(self, site: str, text: str) -> Texts:
        """The site's documents with one more rule. InputError with file and line."""
        return with_added(self._present(site).documents, text)

    def history(self, site: str, before: int | None = None) -> list[Revision]:
        """Who saved rules, newest first, at most `HISTORY_PAGE`. NotFoundError for an unknown site."""
        self._knowledge.of(site)
        return self._console.rules_revisions(site, HISTORY_PAGE, before)

    def revision(self, site: str, number: int) -> Revision:
        """One of them. NotFoundError."""
        self._knowledge.of(site)
        found = self._console.rules_revision(site, number)
        if found is None:
            raise NotFoundError(f"the site {site!r} has no rules revision {number}", "list them: /rule-revisions")
        return found

    def changes(self, site: str, number: int) -> list[Change]:
        """The rules that the revision changed, against the one before it; words for people count too."""
        after, before = load_revision(self.revision(site, number)), RuleSet()
        earlier = self._console.rules_revision(site, number - 1) if number > 1 else None
        if earlier is not None:
            before = load_revision(earlier)
        found = [Change(name, How.REMOVED) for name in before.rules if name not in after.rules]
        for name, rule in after.rules.items():
            if name not in before.rules:
                found.append(Change(name, How.ADDED))
            elif before.rules[name] != rule:
                found.append(Change(name, How.CHANGED))
        return found

    def difference(self, site: str, number: int) -> list[str]:
        """The lines that the revision changed, as `diff -u` shows them, at most `MOST_LINES`."""
        after = dict(self.revision(site, number).documents)
        earlier = self._console.rules_revision(site, number - 1) if number > 1 else None
        before = dict(earlier.documents) if earlier is not None else {}
        return list(_first(_lines(before, after)))

    def _present(self, site: str) -> Revision:
        self._knowledge.of(site)
        found = self._console.rules_revision(site)
        if found is None:
            raise CaretakerError(
                f"the site {site!r} has no rules yet", "caretaker rules apply pack:cn-canteen --site …"
            )
        return found


def _lines(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        yield from unified_diff(
            old, new, name if name in before else "", name if name in after else "", n=_AROUND, lineterm=""
        )


def _first(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == MOST_LINES:
            yield "…"
            return
        yield line
