"""What notify is handed over: whose channel is whose, whom a rule tells later, and the figures of the weekly list.

It may know neither the settings nor the rules. The weekly figures are those of the page on alarm quality, by the same
operations; nothing is decided here.
"""

from collections.abc import Sequence

from api.knowledge import Knowledge
from api.rule_desk import RuleDesk, worth_a_change
from caretaker.settings import Settings
from domain.ports import Console, History
from domain.times import DAY
from notify.channels import open_channels, open_role_channels
from notify.recipients import Escalations, Recipients
from notify.weekly import BadOne, Look, Week
from rules.loading import load_revision
from rules.model import RuleSet
from rules.quality import BadActor
from rules.suggest import spared

MOST_BAD = 5
TRIED = 30 * DAY  # a week is too short to see that nothing real would be hidden


def recipients(settings: Settings) -> Recipients:
    """The common channels and those of the roles. CaretakerError names the entry that cannot be used."""
    own = {role: open_role_channels(role, urls) for role, urls in settings.notify.roles.items()}
    return Recipients(open_channels(settings.notify.channels), own)


def escalations(console: Console) -> Escalations:
    """Looks up whom a rule tells, and after how long (ms), by (site, rule); parses rules once per revision."""
    known: dict[str, tuple[int, RuleSet]] = {}

    def look_up(site: str, rule: str) -> Sequence[tuple[str, int]]:
        revision = console.rules_revision(site)
        if revision is None:
            return ()
        if site not in known or known[site][0] != revision.number:
            known[site] = (revision.number, load_revision(revision))
        found = known[site][1].rules.get(rule)
        return () if found is None else tuple(zip(found.escalate.to, found.escalate.after, strict=True))

    return look_up


def weekly_look(console: Console, history: History) -> Look:
    """Makes the figures of one site and week (UTC ms); reads up to a month of readings, so it takes its time."""
    desk = RuleDesk(console, history, Knowledge(console), clock=lambda: 0)  # asked for spans only

    def look(site: str, start: int, end: int) -> Week:
        report = desk.report(site, start, end).whole
        bad = [one for one in report.bad_actors if worth_a_change(one)][:MOST_BAD]
        return Week(report.annunciated, tuple(_bad(desk, site, one, end) for one in bad))

    return look


def _bad(desk: RuleDesk, site: str, one: BadActor, end: int) -> BadOne:
    found = desk.suggestion(site, one.key, end - TRIED, end)
    if found is None:
        return BadOne(one.key, one.count, one.lapsed, one.nuisance)
    return BadOne(one.key, one.count, one.lapsed, one.nuisance, found.change, spared(found.effect))
