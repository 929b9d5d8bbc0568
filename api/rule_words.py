"""What the pages about rules say in words: a value's name, what a change would do, which legal limit it gives up. Pure.

Every word of a closed set has its text here; what a rule file may hold beyond it is shown as it is written.
"""

from collections.abc import Mapping

from api import wording
from api.i18n import Language
from api.i18n import mark as _
from api.rule_book import How
from domain.alarms import Priority
from rules.compare import Comparison, Loss
from rules.edit import Field
from rules.guard import Given, Loosening

# The last word of a value's place.
WORDS: Mapping[str, str] = {
    "above": _("Alarm above"),
    "below": _("Alarm below"),
    "deadband": _("Over only this far inside the limit"),
    "on_delay": _("Raised when it has lasted"),
    "off_delay": _("Over when it has been over for"),
    "priority": _("Priority"),
    "no_data": _("Silent for longer than"),
    "longer_than": _("Longer than"),
    "in": _("Within the last"),
    "within": _("Within"),
    "over": _("Averaged over"),
    "per": _("Per"),
    "for": _("For"),
    "from": _("Starting at"),
    "to": _("Down or up to"),
    "count": _("How often"),
    "shorter_than": _("Shorter than"),
    "on_above": _("Counts as running above"),
    "above_percent": _("More than, in percent"),
    "least_mean": _("Only from this mean on"),
    "weeks": _("Weeks to compare with"),
    "like": _("Days to compare with"),
    "rise": _("Rise of a defrost"),
}
# What a derived condition is about: the first word of its place.
CONDITIONS: Mapping[str, str] = {
    "rate": _("Rate of change"),
    "stuck": _("Stuck value"),
    "cumulative": _("Time out of limit in all"),
    "cooling": _("Cooling"),
    "reheating": _("Reheating"),
    "duty": _("Share of running time"),
    "mean": _("Mean"),
    "short_cycles": _("Short cycles"),
    "unreadable": _("Unusable readings"),
    "unbalance": _("Unbalance of phases"),
    "baseline": _("Against the usual energy"),
    "out_of_hours": _("Energy out of hours"),
    "base_load": _("Base load"),
    "defrost": _("Defrost"),
    "defrost_missed": _("Missing defrost"),
    "defrost_endless": _("Endless defrost"),
    "all": _("All of"),
    "any": _("Any of"),
    "not": _("Not"),
}
LOSSES: Mapping[Loss, str] = {
    Loss.NUISANCE: _("nuisance: nobody had to act"),
    Loss.REAL: _("real: somebody would have had to act"),
    Loss.COVERED: _("covered by another rule"),
}
HOWS: Mapping[How, str] = {How.ADDED: _("added"), How.REMOVED: _("removed"), How.CHANGED: _("changed")}
GIVEN: Mapping[Given, str] = {
    Given.REMOVED: _("it is removed"),
    Given.BASIS: _("it no longer names its legal basis"),
    Given.POINTS: _("it no longer judges {a}"),
    Given.LIMIT_GONE: _("the limit {a} {b} is gone"),
    Given.LIMIT_MOVED: _("the limit {a} {b} becomes {c}"),
    Given.CONDITION: _("a condition is changed or gone"),
    Given.PRIORITY: _("the priority {a} is lowered to {b}"),
}
SIDES: Mapping[str, str] = {"above": _("above"), "below": _("below")}


def field_name(language: Language, field: Field) -> str:
    """What the value is called; the place of a derived condition's value before it."""
    word = language.gettext(WORDS[field.word]) if field.word in WORDS else field.word
    places = [place for place in field.name.split(".")[:-1] if place not in ("condition", "levels")]
    if field.name.startswith("levels."):
        places = places[1:]  # the level has a heading of its own
    named = [
        language.gettext("part {n}").replace("{n}", str(int(place) + 1))
        if place.isdigit()
        else language.gettext(CONDITIONS[place])
        if place in CONDITIONS
        else place
        for place in places
    ]
    return " · ".join([*named, word])


def sentence(language: Language, effect: Comparison) -> str:
    """What the change does over the stored history, in one sentence."""
    ngettext, gettext = language.ngettext, language.gettext
    nuisance, real, more = effect.count(Loss.NUISANCE), effect.count(Loss.REAL), len(effect.gained)
    covered = effect.count(Loss.COVERED)
    always = [
        (nuisance, ngettext("{n} nuisance alarm fewer", "{n} nuisance alarms fewer", nuisance)),
        (real, ngettext("{n} real excursion hidden", "{n} real excursions hidden", real)),
    ]
    where_any = [
        (effect.merged, gettext("{n} joined to the one before")),
        (covered, gettext("{n} left to another rule")),
        (more, ngettext("{n} alarm more", "{n} alarms more", more)),
        (effect.later, gettext("{n} told later")),
        (effect.earlier, gettext("{n} told earlier")),
    ]
    shown = [*always, *((count, text) for count, text in where_any if count)]
    return gettext("; ").join(text.replace("{n}", str(count)) for count, text in shown)


def loosened(language: Language, one: Loosening) -> str:
    """Which legal limit the change gives up, without the rule's name."""
    values = [_value(language, value) for value in one.values]
    text = language.gettext(GIVEN[one.given])
    for blank, value in zip("abc", values, strict=False):
        text = text.replace(f"{{{blank}}}", value)
    return text


def loss(language: Language, kind: Loss) -> str:
    """What a lost alarm was."""
    return language.gettext(LOSSES[kind])


def how(language: Language, kind: How) -> str:
    """What a revision did to a rule."""
    return language.gettext(HOWS[kind])


def _value(language: Language, value: str) -> str:
    if value in SIDES:
        return language.gettext(SIDES[value])
    return language.gettext(wording.PRIORITIES[Priority(value)]) if value in set(Priority) else value
