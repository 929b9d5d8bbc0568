"""Rules that are left alone while nothing can change them: held to reading by reading, step by step.

Agents fall silent and come back with their backlog, bring readings late, and hand points over to each other; rings are
so small that rules must often catch up. After every step both engines have said the same; whenever quiet rules have
caught up, both stand at the same place: frontiers, waiting readings, doubts and all.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.batch import ReadingBatch, batch_of
from domain.catalogue_file import load_catalogue
from domain.readings import Quality, Reading
from domain.times import MINUTE, SECOND
from rules.condition import as_stored
from rules.engine import Engine
from rules.loading import load_rules
from rules.model import RuleSet

EXAMPLES = 1000 if settings().max_examples >= 1000 else 12
T0 = 1_780_000_000_000 // MINUTE * MINUTE
METRICS = ("temperature", "door", "power")
RULES = (
    "{above: 8, deadband: 1}{mask: {when: {metric: door, above: 0.5, on_delay: 2min}, for_at_most: 9min, tail: 3min}}",
    "{above: 8}{mask: {when: {all: [{metric: door, above: 0.5}, {metric: power, below: 1}]}, tail: 5min}}",
    "{stuck: {for: 12min}}{mask: {when: {metric: power, below: 1}, for_at_most: 9min}}",
    "{cumulative: {above: 7.5, longer_than: 6min, in: 30min}}{mask: {when: {metric: door, above: 0.5}}}",
    "{unreadable: {over: 9min, above: 0.4}}{mask: {when: {metric: door, above: 0.5}, for_at_most: 5min}}",
    "{all: [{above: 6, on_delay: 2min}, {metric: power, below: 1}]}",
    "{all: [{above: 8, off_delay: 9min}, {metric: door, above: 0.5}]}",
    "{all: [{metric: power, above: 99}, {metric: power, above: 90}, {above: 3}]}",
    "{any: [{above: 9}, {metric: power, above: 130, on_delay: 3min}, {metric: door, state: 1, on_delay: 6min}]}",
    "{any: [{above: 9, on_delay: 3min}, {metric: power, above: 130, on_delay: 2min}]}",
    "{any: [{metric: power, duty: {on_above: 50, over: 20min, above: 0.95}}, {above: 9.5}]}",
    "{not: {metric: power, above: 5, on_delay: 1min, off_delay: 1min}}",
    "{not: {metric: door, state: 0}}",
    "{unbalance: {of: [temperature, power], above_percent: 94, least_mean: 2}}",
    "{unbalance: {of: [power, temperature], above_percent: 97}}{mask: {when: {metric: door, above: 0.5}, tail: 3min}}",
)
ALONE = (
    "{above: 8, deadband: 1}",
    "{below: 4.2, deadband: 0.3}",
    "{state: [5, 6]}",
    "{stuck: {for: 12min}}",
    "{cumulative: {above: 8, longer_than: 5min, in: 30min}}",
    "{unreadable: {over: 9min, above: 0.4}}",
    "{duty: {on_above: 8, over: 20min, above: 0.3}}",
    "{mean: {over: 8min, above: 7}}",
    "{defrost_endless: {longer_than: 9min, rise: 3}}",
)
LEVELS = """\
  levels:
  - {above: 8, on_delay: 6min, off_delay: 2min, priority: high}
  - {above: 9.5, on_delay: 2min, off_delay: 3min, priority: urgent}
"""


@pytest.fixture(autouse=True, scope="module")
def _small_rings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rules.points.KEPT_WITHOUT_INTERVAL", 12)
        patch.setattr("rules.points.LEAST_KEPT", 12)
        yield


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    text = "rules:\n"
    for number in range(draw(st.integers(1, 3))):
        condition, _, mask = draw(st.sampled_from((*RULES, *ALONE, ""))).partition("}{mask")
        text += f"- id: rule-{number}\n  applies_to: {{metric: temperature, asset_type: refrigerator}}\n"
        if condition:
            text += f"  condition: {condition + '}' if mask else condition}\n  priority: high\n"
            text += f"  mask{mask[:-1]}\n" if mask else ""
            text += draw(st.sampled_from(("", "  on_delay: 3min\n", "  on_delay: 7min\n  off_delay: 4min\n")))
        else:
            text += LEVELS
        text += draw(st.sampled_from(("", "  max_gap: 4min\n")))
    return load_rules(text, "story")


def begun(rules: RuleSet, *, prefilter: bool) -> Engine:
    points = "{temperature: {unit: Cel}, door: {unit: '/'}, power: {unit: W}}"
    assets = "".join(
        f"- {{id: {one}, type: refrigerator, area: k, agent: a, points: {points}}}\n" for one in ("f", "g")
    )
    engine = Engine("school", prefilter=prefilter)
    site = f"site: {{id: school}}\nareas: [{{id: k}}]\nassets:\n{assets}"
    engine.set_rules(load_catalogue(site, "site"), rules, T0)
    return engine


class Kitchen:
    """Two fridges whose points three agents read; what each agent brings, minute by minute."""

    def __init__(self, chance: np.random.Generator) -> None:
        self.chance = chance
        together = chance.random() < 0.4
        self.owner = {
            f"{asset}/{metric}": "a" if together else "abc"[number]
            for asset in "fg"
            for number, metric in enumerate(METRICS)
        }
        self.held: dict[str, list[Reading]] = {"a": [], "b": [], "c": []}
        self.silent = dict.fromkeys(self.held, 0)
        self.left = dict.fromkeys(self.owner, (0, ""))

    def reading(self, point: str, now: int) -> Reading:
        """For some minutes now and then something is the matter; otherwise all is well."""
        chance, metric = self.chance, point.partition("/")[2]
        left, what = self.left[point]
        if not left and chance.random() < 0.04:
            left = int(chance.choice([1, 2, 5, 15, 25]))
            what = str(chance.choice(["beyond", "beyond", "still", "bad"]))
        self.left[point] = max(0, left - 1), what if left else ""
        usual = {"temperature": 4 + round(chance.random(), 2), "door": 0.0, "power": 100.0 + int(chance.integers(0, 9))}
        beyond = {"temperature": 9.2 + round(chance.random(), 2), "door": 1.0, "power": float(chance.choice([0, 140]))}
        value = {"beyond": beyond[metric], "still": 5.0 if metric == "temperature" else usual[metric]}
        at = now + int(chance.integers(0, 50)) * SECOND * (chance.random() < 0.5)
        quality = Quality.BAD if what == "bad" and left else Quality.GOOD
        return Reading(point, at, float(value.get(what, usual[metric]) if left else usual[metric]), quality)

    def minute(self, now: int) -> list[ReadingBatch]:
        """What arrives in that minute, a batch an agent."""
        chance = self.chance
        for point, owner in self.owner.items():
            if chance.random() < 0.94:
                self.held[owner].append(self.reading(point, now))
        if chance.random() < 0.01:
            self.owner["f/power"] = str(chance.choice(["a", "b", "c"]))
        found = []
        for agent, rows in self.held.items():
            falls_silent = chance.random() < 0.06
            self.silent[agent] = (
                int(chance.choice([1, 2, 4, 8, 40])) if falls_silent else max(0, self.silent[agent] - 1)
            )
            if self.silent[agent] and chance.random() < 0.97:
                continue
            upto = now + 50 * SECOND if chance.random() < 0.95 else 0
            if len(rows) > 12 and chance.random() < 0.7:
                upto = rows[int(chance.integers(1, 12))].time  # a backlog comes in pieces
            late = [row for row in rows if row.time > upto > 0 or chance.random() < 0.01]
            told = [row for row in rows if row not in late]
            self.held[agent] = late
            told.sort(key=lambda row: row.time)
            found.append(batch_of("school", now + MINUTE, told, agent=agent, upto=upto))
        return found


def standing(engine: Engine) -> list[tuple[object, ...]]:
    """Where every rule stands."""
    found: list[tuple[object, ...]] = []
    for number, name in enumerate(engine.table.names):
        for track in engine.table.alone(number):
            one = track.condition
            levels = [as_stored(level) for level in one.levels]
            found.append((name, one.plan.rule, one.level, levels))
    for joint in engine.joints.all:
        running = joint.track.condition.running  # type: ignore[attr-defined]
        waiting = joint.waiting
        order = np.lexsort((waiting.point, waiting.time))
        rows = [column[order].tolist() for column in (waiting.time, waiting.point, waiting.value)]
        found.append((joint.frontier, joint.doubt, joint.track.condition.level, repr(running.value), running.due, rows))
    return found


@settings(max_examples=EXAMPLES)
@given(rule_sets(), st.integers(0, 1_000_000))
def test_a_rule_that_is_left_alone_says_what_it_says_reading_by_reading(rules: RuleSet, seed: int) -> None:
    chance = np.random.default_rng(seed)
    kitchen = Kitchen(chance)
    plain, fast = begun(rules, prefilter=False), begun(rules, prefilter=True)
    for number in range(150):
        now = T0 + number * MINUTE
        for batch in kitchen.minute(now):
            assert fast.feed(batch) == plain.feed(batch)
        if chance.random() < 0.1:
            assert fast.clock(now + MINUTE, True) == plain.clock(now + MINUTE, True)
        if chance.random() < 0.1:
            assert fast.review(now + MINUTE) == plain.review(now + MINUTE)
        assert fast.counters == plain.counters
        if chance.random() < 0.08:
            blob = fast.snapshot()
            assert standing(fast) == standing(plain)
            if chance.random() < 0.5:
                fast = Engine("school")
                fast.restore(blob)
    for engine in (fast, plain):
        engine.snapshot()
    assert standing(fast) == standing(plain)
