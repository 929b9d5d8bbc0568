"""What the API knows about a site besides its readings: catalogue and rules, parsed once per revision.

For operations and pages. It decides which rules apply to a point and how they are titled; it must not decide whether an
alarm is raised (the engine does) nor cache anything that can change under the same revision number.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from domain.catalogue import Asset, Catalogue, Label, Point
from domain.catalogue_file import load_catalogue
from domain.errors import NotFoundError
from domain.ports import Console
from domain.records import Revision
from domain.system import TITLES
from rules.loading import load_revision
from rules.matching import select
from rules.model import Limit, Rule, RuleSet

_KEPT = 32  # revisions in memory: two per site for as many sites as one server shows


@dataclass(frozen=True)
class SiteKnowledge:
    """One site as of its newest revisions; `rules` is empty when none were applied yet (`rules_revision` 0)."""

    catalogue: Catalogue
    rules: RuleSet
    revision: int
    rules_revision: int

    @cached_property
    def _by_point(self) -> dict[str, list[Rule]]:
        judged: dict[str, list[Rule]] = {}
        for rule in self.rules.rules.values():
            for point in select(rule, self.catalogue):
                judged.setdefault(point.name, []).append(rule)
        return judged

    def rules_of(self, point: str) -> Sequence[Rule]:
        """The rules that judge the point, in the file's order."""
        return self._by_point.get(point, ())

    def title(self, rule: str) -> Label:
        """The rule's title (or of what the system raises itself); its id when it has none or is gone."""
        known = self.rules.rules.get(rule)
        return known.title if known is not None and known.title.en else TITLES.get(rule, Label(rule))

    def limit(self, rule: str, level: int | None) -> Limit | None:
        """The limit of that level of the rule, or None when it is no limit or is gone."""
        known = self.rules.rules.get(rule)
        index = level or 0
        if known is None or not 0 <= index < len(known.levels):
            return None
        condition = known.levels[index].condition
        return condition if isinstance(condition, Limit) else None

    def asset(self, asset: str) -> Asset:
        """The asset, or NotFoundError."""
        found = self.catalogue.assets_by_id.get(asset)
        if found is None:
            raise NotFoundError(f"the site {self.catalogue.site!r} has no asset {asset!r}", "list them: …/assets")
        return found

    def point(self, name: str) -> Point:
        """The point, or NotFoundError."""
        found = self.catalogue.by_name.get(name)
        if found is None:
            raise NotFoundError(f"the site {self.catalogue.site!r} has no point {name!r}", "list them: …/points")
        return found


class Knowledge:
    """The parsed newest revisions of every site that somebody asked for, at most `_KEPT` of them."""

    def __init__(self, console: Console, load_rules: Callable[[Revision], RuleSet] = load_revision) -> None:
        self._console = console
        self._load_rules = load_rules
        self._known: dict[tuple[str, int, int], SiteKnowledge] = {}

    def of(self, site: str) -> SiteKnowledge:
        """Catalogue and rules of the site. NotFoundError when nobody applied a catalogue for it."""
        revision = self._console.site_revision(site)
        if revision is None:
            raise NotFoundError(f"there is no site {site!r}", "apply a catalogue: caretaker site apply site.yaml")
        rules = self._console.rules_revision(site)
        key = (site, revision.number, rules.number if rules else 0)
        known = self._known.get(key)
        if known is None:
            known = SiteKnowledge(_catalogue(revision), self._load_rules(rules) if rules else RuleSet(), *key[1:])
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)), None)
            self._known[key] = known
        return known


def _catalogue(revision: Revision) -> Catalogue:
    name, text = revision.documents[0]
    return load_catalogue(text, name)
