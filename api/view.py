"""What templates may ask while a page is drawn: words, figures and times in the visitor's language and the site's zone.

One `View` per request. It decides nothing about alarms; it turns what `api.board` and the stores say into text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from api import wording
from api.board import AssetStanding, Freshness, PointStanding, Standing
from api.i18n import HTML_LANG, LANGUAGES, Language
from api.knowledge import SiteKnowledge
from domain.alarms import Alarm, AlarmState, EventKind, OverlayKind, Priority, Reason, Transition
from domain.catalogue import Label, Point
from domain.lifecycle import legal_events
from domain.system import SITE_WIDE
from domain.times import DAY, HOUR, MINUTE, format_duration, iso

# What the standing is drawn with: a symbol of static/icons.svg. The word always stands beside it.
_STANDING_ICONS = {
    Standing.ALARM: "alarm",
    Standing.FAULT: "fault",
    Standing.UNKNOWN: "unknown",
    Standing.UNANSWERED: "unanswered",
    Standing.SET_ASIDE: "set-aside",
    Standing.OUT_OF_SERVICE: "set-aside",
    Standing.OFF: "off",
    Standing.UNWATCHED: "unwatched",
    Standing.NORMAL: "normal",
}
_TYPE_ICONS = {
    "refrigerator": "fridge", "sample_fridge": "fridge", "freezer": "freezer", "cold_room": "freezer",
    "hot_holding": "hot", "cold_dish_room": "room", "room": "room", "dishwasher": "water", "pump": "pump",
    "boiler": "hot", "energy_meter": "meter", "distribution_board": "meter", "gas_detector": "gas",
}  # fmt: skip


# What the forms offer, in ms; the shelf as far as the alarm's rule allows.
SHELF = (30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, DAY)
ABSENCES = (4 * HOUR, DAY, 3 * DAY, 7 * DAY)


@dataclass(frozen=True)
class View:
    """One request's language, site and moment."""

    language: Language
    known: SiteKnowledge | None
    now: int
    path: str
    sites: tuple[SiteKnowledge, ...] = ()
    version: str = ""
    person: str = ""

    @property
    def lang(self) -> str:
        """For the `lang` attribute."""
        return HTML_LANG[self.language.code]

    @property
    def other_languages(self) -> list[tuple[str, str, str]]:
        """Code, `lang` attribute and own name of every other language."""
        return [(code, HTML_LANG[code], name) for code, name in LANGUAGES.items() if code != self.language.code]

    @property
    def timezone(self) -> str:
        """The site's zone; UTC without a site."""
        return self.known.catalogue.timezone if self.known else "UTC"

    def link(self, path: str, **query: object) -> str:
        """A local address; the site is named only where there are several."""
        if self.known and len(self.sites) > 1:
            query = {"site": self.known.catalogue.site, **query}
        wanted = {name: str(value) for name, value in query.items() if value not in (None, "")}
        return f"{path}?{urlencode(wanted)}" if wanted else path

    def label(self, label: Label) -> str:
        """A name in the visitor's language."""
        return label.in_language(self.language.code)

    def age(self, then: int) -> str:
        """How long ago."""
        return wording.age(self.language, self.now - then)

    def lasting(self, since: int, until: int | None = None) -> str:
        """How long from `since` until then (or now)."""
        return wording.span(self.language, max((until if until is not None else self.now) - since, 0))

    def clock(self, ms: int) -> str:
        """The site's local time."""
        return wording.clock(self.language, ms, self.timezone, self.now)

    def iso(self, ms: int) -> str:
        """For `datetime` attributes."""
        return iso(ms)

    def standing(self, standing: Standing, priority: Priority | None = None) -> str:
        """The standing in words; an alarm says its priority."""
        word = self.language.gettext(wording.STANDINGS[standing])
        return f"{word} · {self.priority(priority)}" if standing is Standing.ALARM and priority else word

    def standing_icon(self, standing: Standing) -> str:
        """Symbol of the standing."""
        return _STANDING_ICONS[standing]

    def type_icon(self, asset_type: str) -> str:
        """Symbol of the kind of asset."""
        return _TYPE_ICONS.get(asset_type, "other")

    def priority(self, priority: Priority | None) -> str:
        """The priority in words."""
        return self.language.gettext(wording.PRIORITIES[priority]) if priority else ""

    def role(self, role: str) -> str:
        """The role's name; its id where it has none."""
        return self.language.gettext(wording.ROLES[role]) if role in wording.ROLES else role

    def state(self, state: AlarmState) -> str:
        """The alarm state in words."""
        return self.language.gettext(wording.STATES[state])

    def reason(self, reason: Reason | None) -> str:
        """The reason in words."""
        return self.language.gettext(wording.REASONS[reason]) if reason else ""

    def event(self, event: EventKind) -> str:
        """The event in words."""
        return self.language.gettext(wording.EVENTS[event])

    def overlay(self, kind: OverlayKind) -> str:
        """The overlay in words."""
        return self.language.gettext(wording.OVERLAYS[kind])

    def worth(self, one: PointStanding) -> str:
        """What a point's newest reading is worth, in words."""
        return self.language.gettext(wording.FRESHNESS[one.freshness])

    def reading(self, one: PointStanding) -> tuple[str, str]:
        """A point's newest reading as text and unit."""
        return wording.reading(self.language, one.point, one.latest)

    def value(self, point: Point | None, number: float | None) -> str:
        """A value with its unit."""
        return wording.joined(wording.value(self.language, point, number))

    def point(self, name: str) -> Point | None:
        """The point, when the catalogue knows it."""
        return self.known.catalogue.by_name.get(name) if self.known else None

    def asset_name(self, asset: str) -> str:
        """The asset's name; its id when the catalogue no longer knows it."""
        known = self.known.catalogue.assets_by_id.get(asset) if self.known else None
        if known is None and self.known is not None and asset == SITE_WIDE:
            return self.label(self.known.catalogue.label)
        return self.label(known.label) if known else asset

    def content(self, asset: str) -> str:
        """What is in the asset; empty when the catalogue does not say."""
        known = self.known.catalogue.assets_by_id.get(asset) if self.known else None
        return self.label(known.content) if known else ""

    def area_name(self, asset: str) -> str:
        """The name of the asset's area."""
        known = self.known.catalogue.assets_by_id.get(asset) if self.known else None
        areas = {area.id: area.label for area in self.known.catalogue.areas} if self.known else {}
        return self.label(areas[known.area]) if known and known.area in areas else ""

    def asset_link(self, asset: str) -> str:
        """Where the asset is shown; the board for what concerns the whole site."""
        known = self.known is not None and asset in self.known.catalogue.assets_by_id
        return self.link(f"/assets/{asset}" if known else "/")

    def rule_title(self, rule: str) -> str:
        """The rule's title."""
        return self.label(self.known.title(rule)) if self.known else rule

    def response(self, rule: str) -> str:
        """What the rule says is to be done; empty when it says nothing."""
        known = self.known.rules.rules.get(rule) if self.known else None
        return self.label(known.response) if known else ""

    def compared(self, alarm: Alarm | Transition) -> str:
        """Value against limit, e.g. `9.4 °C > 8.0 °C`; the value alone where there is no limit."""
        point = self.point(alarm.key.point)
        limit = self.known.limit(alarm.key.rule, alarm.level) if self.known else None
        if alarm.value is None:
            return self.reason(alarm.reason)
        shown = self.value(point, alarm.value)
        if limit is None or alarm.reason in (Reason.WITHIN_LIMIT, Reason.BY_PERSON):
            return shown
        if limit.above is not None:
            return f"{shown} > {self.value(point, limit.above)}"
        return f"{shown} < {self.value(point, limit.below)}"

    def present(self, alarm: Alarm, readings: Mapping[str, PointStanding]) -> str:
        """The value of now beside an active alarm of a measured point; empty when it is unknown or a state."""
        one = readings.get(alarm.key.point)
        if not alarm.active or one is None or one.latest is None or one.point.states:
            return ""
        if one.freshness not in (Freshness.GOOD, Freshness.UNCERTAIN) or alarm.value is None:
            return ""
        return self.value(one.point, one.latest.value)

    def asset_of(self, alarm: Alarm | Transition) -> str:
        """Id of the asset that the alarm is about."""
        return alarm.key.point.partition("/")[0]

    def can_acknowledge(self, alarm: Alarm) -> bool:
        """Whether somebody still has to answer."""
        return EventKind.ACKNOWLEDGE in legal_events(alarm.state)

    @property
    def nuisances(self) -> list[tuple[str, str]]:
        """Word and text of each kind of nuisance."""
        return [(word, self.language.gettext(text)) for word, text in wording.NUISANCES.items()]

    @property
    def remedies(self) -> list[tuple[str, str]]:
        """Word and text of each thing that can have been done."""
        return [(word, self.language.gettext(text)) for word, text in wording.REMEDIES.items()]

    @property
    def foods(self) -> list[tuple[str, str]]:
        """Word and text of what can have become of the food."""
        return [(word, self.language.gettext(text)) for word, text in wording.FOODS.items()]

    @property
    def absences(self) -> list[tuple[str, str]]:
        """How long an asset can be out of service, as the form offers it; an empty length has no end."""
        return [("", self.language.gettext(wording.UNTIL_PUT_BACK)), *self.lengths(ABSENCES)]

    def lengths(self, lengths: Sequence[int]) -> list[tuple[str, str]]:
        """Lengths of time (ms) as a form sends them, and in words."""
        return [(format_duration(length), wording.span(self.language, length)) for length in lengths]

    def can(self, alarm: Alarm, event: str) -> bool:
        """Whether the alarm's state allows the command."""
        kind = EventKind(event)
        if kind is EventKind.SILENCE and alarm.silenced_at is not None:
            return False
        return kind in legal_events(alarm.state) and (kind is not EventKind.CONFIRM or alarm.raised_at is not None)

    def wants_action(self, alarm: Alarm) -> bool:
        """Whether somebody has seen the alarm, and nobody has written down yet what was done."""
        return alarm.acknowledged_at is not None and alarm.confirmed_at is None and self.can(alarm, "confirm")

    def said(self, one: Transition) -> list[str]:
        """What a transition says beyond who and note, in words."""
        words = []
        if one.nuisance is not None:
            why = self.language.gettext(wording.NUISANCES[one.nuisance])
            words.append(self.language.gettext(wording.NUISANCE).replace("{why}", why))
        if one.remedy is not None:
            words.append(self.language.gettext(wording.REMEDIES[one.remedy]))
        if one.food is not None:
            words.append(self.language.gettext(wording.FOODS[one.food]))
        if one.event is EventKind.ASSIGN:
            words.append(f"→ {one.assignee or wording.NOTHING}")
        if one.until is not None:
            words.append(self.language.gettext(wording.UNTIL).replace("{time}", self.clock(one.until)))
        if one.reason is Reason.EXPIRED:
            words.append(self.reason(one.reason))
        return words

    def hidden(self, alarm: Alarm) -> bool:
        """Whether an overlay lies over the alarm."""
        return alarm.set_aside(self.now)

    def by_area(self, assets: tuple[AssetStanding, ...]) -> list[tuple[str, str, list[AssetStanding]]]:
        """Areas with their assets, in the catalogue's order, empty ones left out: id, name, assets."""
        areas = self.known.catalogue.areas if self.known else ()
        grouped = [(area, [one for one in assets if one.asset.area == area.id]) for area in areas]
        return [(area.id, self.label(area.label), found) for area, found in grouped if found]
