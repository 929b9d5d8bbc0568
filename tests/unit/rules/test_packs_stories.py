"""What the packs say of food, doors, probes, compressors and defrosts, by stories told minute by minute."""

from pathlib import Path

import pytest

from rules.packs import load_pack_text
from rules.ruletest import run_test
from rules.ruletest_file import load_tests

ROOT = Path(__file__).parents[3]

STORIES = {
    "three times 45 minutes too warm are two hours in all": """
      - {point: fridge-1/product_temperature, values: 5x60 9x45 5x60 9x45 5x60 9x45 5x60}
    transitions:
      - {at: 90min, rule: cold-product-high, to: unacknowledged, priority: high}
      - {at: 110min, rule: cold-product-high, to: returned-unacknowledged}
      - {at: 195min, rule: cold-product-high, to: unacknowledged}
      - {at: 215min, rule: cold-product-high, to: returned-unacknowledged}
      - {at: 300min, rule: cold-product-high, to: unacknowledged}
      - {at: 300min, rule: cold-product-cumulative, to: unacknowledged, reason: out_of_limit_too_long, priority: urgent}
      - {at: 320min, rule: cold-product-high, to: returned-unacknowledged}
    """,
    "two hours in one piece are told once": """
      - {point: fridge-1/product_temperature, values: 5x60 9x150 5x120}
    transitions:
      - {at: 90min, rule: cold-product-high, to: unacknowledged, priority: high}
      - {at: 180min, rule: cold-product-high, to: unacknowledged, priority: urgent}
      - {at: 215min, rule: cold-product-high, to: returned-unacknowledged}
    """,
    "a door that is left open": """
      - {point: fridge-1/door, values: closedx10 openx5 closedx10 openx40 closedx10}
    transitions:
      - {at: 60min, rule: cold-storage-door-open, to: unacknowledged, reason: state_entered, priority: medium}
      - {at: 65min, rule: cold-storage-door-open, to: returned-unacknowledged}
    """,
    "a probe that stands still": """
      - {point: fridge-2/temperature, values: 4 4.2 4.1x250 4.3}
    transitions:
      - {at: 242min, rule: cold-storage-probe-stuck, to: unacknowledged, reason: stuck}
      - {at: 252min, rule: cold-storage-probe-stuck, to: returned-unacknowledged}
    """,
    "a probe that answers with errors": """
      - {point: fridge-2/temperature, values: 4x5 4.2x25 !85x40 4.1x50}
    transitions:
      - {at: 46min, rule: probe-unreadable, to: unacknowledged, reason: unreadable, priority: medium}
      - {at: 95min, rule: probe-unreadable, to: returned-unacknowledged}
    """,
    "error codes that pass for values, once and for good": """
      - {point: fridge-2/temperature, values: 4x10 85 4x10 -127x3 4x10 85x8 4x30}
      - {point: freezer-1/temperature, values: -18x10 -127x8 -18x30}
    transitions:
      - {at: 15min, rule: probe-implausible-low, to: unacknowledged, reason: below_limit}
      - {at: 28min, rule: probe-implausible-low, to: returned-unacknowledged}
      - {at: 39min, rule: probe-implausible, to: unacknowledged, reason: above_limit}
      - {at: 52min, rule: probe-implausible, to: returned-unacknowledged}
    """,
    "a delivery of half an hour": """
      - {point: fridge-1/door, values: closedx10 openx30 closedx60}
      - {point: fridge-1/temperature, values: 4x12 11x36 5x52}
    transitions: []
    """,
    "a lunch with the door in use does not hide that it does not cool": """
      - {point: fridge-1/door, values: closedx9 open closedx5 open closedx5 open closedx5 openx2 closedx34}
      - {point: fridge-1/temperature, values: 4x12 9x50}
    transitions:
      - {at: 42min, rule: cold-storage-high, to: unacknowledged}
    """,
    "a unit that is cleaned": """
      - {point: fridge-1/door, values: closedx10 openx70 closedx200}
      - {point: fridge-1/power, values: 150x10 0x70 200x200}
      - {point: fridge-1/temperature, values: 4x12 18x100 12x60 4x108}
    transitions: []
    """,
    "a unit that is off and open for longer than any cleaning": """
      - {point: fridge-1/door, values: closedx10 openx200}
      - {point: fridge-1/power, values: 150x10 0x200}
      - {point: fridge-1/temperature, values: 4x12 18x198}
    transitions:
      - {at: 135min, rule: cold-storage-door-open, to: unacknowledged}
      - {at: 137min, rule: cold-storage-high, to: unacknowledged}
    """,
    "an opening of a unit that is off hides little": """
      - {point: fridge-1/door, values: closedx30 openx2 closedx100}
      - {point: fridge-1/power, values: 150x10 0x122}
      - {point: fridge-1/temperature, values: 4x20 9x112}
    transitions:
      - {at: 50min, rule: cold-storage-high, to: unacknowledged, priority: high}
    """,
    "a door that is left open is no excuse for warm air": """
      - {point: fridge-1/door, values: closedx10 openx100}
      - {point: fridge-1/power, values: 150x110}
      - {point: fridge-1/temperature, values: 4x20 12x90}
    transitions:
      - {at: 45min, rule: cold-storage-door-open, to: unacknowledged}
      - {at: 75min, rule: cold-storage-high, to: unacknowledged}
    """,
    "food that is too warm is told whatever the door and the power say": """
      - {point: fridge-1/door, values: closedx10 openx50}
      - {point: fridge-1/power, values: 150x10 0x50}
      - {point: fridge-1/product_temperature, values: 4x20 9x40}
    transitions:
      - {at: 50min, rule: cold-product-high, to: unacknowledged, priority: high}
    """,
    "a compressor that trips": """
      - {point: fridge-2/power, values: 0x20 150x3 0x8 150x3 0x8 150x3 0x8 150x3 0x8}
    transitions:
      - {at: 56min, rule: compressor-short-cycles, to: unacknowledged, reason: short_cycles, priority: low}
    """,
    "warm air waits for half an hour while food and compressor are known to be well, and no longer": """
      - {point: fridge-1/temperature, values: 4x10 9x80}
      - {point: fridge-1/product_temperature, values: 4x90}
      - {point: fridge-1/power, values: 200x90}
    transitions:
      - {at: 70min, rule: cold-storage-high, to: unacknowledged, priority: high}
    """,
    "it does not wait when the compressor stands": """
      - {point: fridge-1/temperature, values: 4x10 9x50}
      - {point: fridge-1/product_temperature, values: 4x60}
      - {point: fridge-1/power, values: 12x60}
    transitions:
      - {at: 40min, rule: cold-storage-high, to: unacknowledged, priority: high}
    """,
    "nor when nobody knows the food": """
      - {point: fridge-1/temperature, values: 4x10 9x50}
      - {point: fridge-1/power, values: 200x60}
    transitions:
      - {at: 40min, rule: cold-storage-high, to: unacknowledged, priority: high}
    """,
    "healthy cycles of a cold room, whose controls and fan draw more than those of a fridge": """
      - {point: cold-room-1/power, values: 35x5 2000x9 35x5 2000x9 35x5 2000x9 35x5 2000x9 35x5}
    transitions: []
    """,
    "healthy cycles": """
      - {point: fridge-2/power, values: 0x20 150x12 0x20 150x15 0x25 150x10 0x20 150x12 0x20 150x11 0x9}
    transitions: []
    """,
    "a freezer that defrosts in half an hour": """
      - {point: freezer-1/temperature, values: -19x60 -18+1x18 -1x4 -2-1x16 -19x60}
    transitions: []
    """,
    "a defrost that does not end, seen before the limit of the air": """
      - {point: freezer-1/temperature, values: -19x60 -18+1x18 -1x80}
    transitions:
      - {at: 140min, rule: freezer-defrost-endless, to: unacknowledged, reason: defrost_wrong, priority: high}
      - {at: 142min, rule: freezer-high, to: unacknowledged}
    """,
}


@pytest.mark.parametrize("story", STORIES)
def test_the_packs_say_exactly_this(story: str) -> None:
    text = (
        f"rules: [cn-canteen, facility-basic]\nsite: site.yaml\ntests:\n  - name: {story}\n    series:{STORIES[story]}"
    )
    assert run_test(*load_tests(text, "story.yaml", read)) == []


def read(name: str) -> tuple[str, str]:
    if name == "site.yaml":
        return name, (ROOT / "examples/school/site.yaml").read_text(encoding="utf-8")
    return name, load_pack_text(name)
