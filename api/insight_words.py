"""How time left, causes and their evidence are said on a page. Pure.

Every cause and every feature has its sentence here: what is shown as evidence is a number that a person can check.
"""

from collections.abc import Mapping

from babel.numbers import format_decimal

from api.i18n import Language
from api.i18n import mark as _
from api.insight import AssetInsight
from api.knowledge import SiteKnowledge
from domain.alarms import FoodFate
from domain.food import FoodOption
from domain.times import MINUTE
from rules.insight.causes import Cause, Evidence
from rules.insight.features import Feature
from rules.insight.thermal import Quantity, TimeLeft

LEAST_WEIGHT = 0.4
MOST_SHOWN = 4

CAUSES: Mapping[Cause, str] = {
    Cause.COMPRESSOR: _("compressor does not cool"),
    Cause.POWER_CUT: _("no electricity"),
    Cause.DOOR: _("door open or ajar"),
    Cause.FAN: _("fan at the cooling coil stands"),
    Cause.ICING: _("cooling coil iced up, or no defrost"),
    Cause.REFRIGERANT_OR_CONDENSER: _("refrigerant is leaking, or the condenser is dirty"),
    Cause.DEFROST: _("defrost does not end"),
    Cause.WARM_LOAD: _("much or warm food was put in"),
    Cause.SENSOR: _("sensor fault"),
    Cause.NOT_SURE: _("not sure"),
}
QUANTITIES: Mapping[Quantity, str] = {Quantity.AIR: _("Air"), Quantity.PRODUCT: _("Food")}

OPTIONS: Mapping[FoodOption, str] = {
    FoodOption.USE: _("Use"),
    FoodOption.USE_NOW: _("Use now"),
    FoodOption.REHEAT: _("Reheat"),
    FoodOption.ASSESS: _("Assess"),
    FoodOption.DISCARD: _("Discard"),
}
FATES: Mapping[FoodFate, str] = {
    FoodFate.NOT_AFFECTED: _("not affected"),
    FoodFate.KEPT: _("kept"),
    FoodFate.MOVED: _("moved"),
    FoodFate.REHEATED: _("reheated"),
    FoodFate.DISCARDED: _("discarded"),
}

# {n} is the value: a share in per cent, a multiple, degrees, minutes or hours, as the factor says.
_SENTENCES: Mapping[Feature, tuple[str, float]] = {
    Feature.STOOD: (_("the compressor has stood {n} times as long as its longest usual pause"), 1.0),
    Feature.RUN_SHARE: (_("the compressor ran {n} % of the last hour"), 100.0),
    Feature.DUTY: (_("in the last 3 h it ran {n} times as much as usual"), 1.0),
    Feature.DUTY_BEFORE: (_("before that it ran {n} times as much as usual"), 1.0),
    Feature.RUN_POWER: (_("while running it draws {n} % of what it used to"), 100.0),
    Feature.DRAW: (_("it draws {n} % of the compressor’s power now"), 100.0),
    Feature.HEATING: (_("the defrost heater has been on for {n} usual defrosts"), 1.0),
    Feature.OVERDUE: (_("the last defrost began {n} usual intervals ago"), 1.0),
    Feature.WARM_FOR: (_("for {n} h it has not been as cold as usual"), 1.0),
    Feature.FLAT: (_("the air’s reading has not changed for {n} min"), 1.0),
    Feature.STIR: (_("the air’s reading is {n} % as restless as usual"), 100.0),
    Feature.RUN_STIR: (_("while it runs the air’s reading is {n} % as restless as usual"), 100.0),
    Feature.UNUSABLE: (
        _("{n} % of the air probe’s last 45 min are missing or unusable, while the asset is heard"),
        100.0,
    ),
    Feature.DOOR: (_("the door was open for {n} % of the last 45 min"), 100.0),
    Feature.DAMP: (_("humidity is {n} points from the usual"), 1.0),
    Feature.FOOD_FOLLOWS: (_("in 2 h the food rose by {n} % of the air’s rise"), 100.0),
    Feature.FOOD_JUMP: (_("the food rose by {n} °C within 4 min"), 1.0),
}
# Values in degrees of a fridge, said in degrees of the asset.
_DEGREES: Mapping[Feature, str] = {
    Feature.RISE: _("the air rose by {n} °C within 15 min"),
    Feature.SLOPE: _("the air now changes by {n} °C per hour"),
    Feature.OFFSET: _("the air is {n} °C from its usual mean"),
}
_SUPPLY = (
    _("there is electricity"),
    _("it draws no power, while others on its board do"),
    _("neither it nor its board draws power"),
)


def minutes(language: Language, number: float) -> str:
    """About so long: whole minutes, above an hour in steps of five, above three hours of a quarter."""
    step = 1 if number < 60 else 5 if number < 180 else 15
    whole = max(round(number / step) * step, 1)
    hours, rest = divmod(whole, 60)
    if hours == 0:
        return language.gettext(_("{n} min")).format(n=rest)
    text = language.gettext(_("{n} h")).format(n=hours)
    return f"{text} {language.gettext(_('{n} min')).format(n=rest)}" if rest else text


def time_left(language: Language, one: TimeLeft) -> str:
    """`Air: about 47 min to 8 °C (35 min to 1 h 10 min)`."""
    assert one.minutes is not None, "only an estimate is said"
    assert one.low is not None, "an estimate has a lower bound"
    high = language.gettext(_("more than a day")) if one.high is None else minutes(language, one.high)
    return language.gettext(_("{what}: about {time} to {limit} ({low} to {high})")).format(
        what=language.gettext(QUANTITIES[one.quantity]),
        time=minutes(language, one.minutes),
        limit=f"{number(language, one.limit, 1)} °C".replace("-", "\N{MINUS SIGN}"),
        low=minutes(language, one.low),
        high=high,
    )


def cause(language: Language, one: Cause) -> str:
    """The cause in words."""
    return language.gettext(CAUSES[one])


def evidence(language: Language, found: AssetInsight) -> list[str]:
    """The observations that speak most for the answer, in words."""
    if found.judgement is None:
        return []
    chosen = [one for one in found.judgement.evidence if one.weight >= LEAST_WEIGHT]
    return [sentence(language, one, found.degrees) for one in chosen[:MOST_SHOWN]]


def sentence(language: Language, one: Evidence, degrees: float) -> str:
    """One observation in words."""
    if one.feature is Feature.SUPPLY:
        return language.gettext(_SUPPLY[min(round(one.value), 2)])
    if one.feature in _DEGREES:
        return language.gettext(_DEGREES[one.feature]).format(n=number(language, one.value * degrees, 1))
    text, factor = _SENTENCES[one.feature]
    value = one.value * factor
    return language.gettext(text).format(n=number(language, value, 0 if factor == 1e2 or abs(value) >= 10 else 1))


def number(language: Language, value: float, decimals: int) -> str:
    """A number with at most so many decimals."""
    shown = format_decimal(round(value, decimals) + 0.0, "#,##0.#" if decimals else "#,##0", locale=language.locale)
    return str(shown).replace("-", "\N{MINUS SIGN}")


def option(language: Language, one: FoodOption) -> str:
    """The option in words."""
    return language.gettext(OPTIONS[one])


def fate(language: Language, one: FoodFate) -> str:
    """What became of the food, in words."""
    return language.gettext(FATES[one])


def lasted(language: Language, ms: int) -> str:
    """A measured time, exact to the minute: `2 h 5 min`."""
    hours, rest = divmod(round(ms / MINUTE), 60)
    if hours == 0:
        return language.gettext(_("{n} min")).format(n=rest)
    text = language.gettext(_("{n} h")).format(n=hours)
    return f"{text} {language.gettext(_('{n} min')).format(n=rest)}" if rest else text


def asks(known: SiteKnowledge, rule: str) -> bool:
    """Whether excursions of the rule ask for a decision about food."""
    found = known.rules.rules.get(rule)
    return found is not None and bool(found.food)
