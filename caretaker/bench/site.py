"""The benchmark's site: as many points as asked for, three rules on every point. Pure text.

Each asset has one point per metric. Two rules per metric are limits with delays, which readings of the load leave now
and then; the third is silence. One more rule, of the latency measurement, has no delay.
"""

from caretaker.bench.packets import METRICS, agent_id, asset_id

SITE = "bench"
AREA = "hall"
INSTANT = "instant"  # the rule without delay, on temperatures
_ABOVE = (8.0, 8.0, 90.0, 3_000.0, 16.0)
_DERIVED = (  # a probe that stands still, food, a probe that sends errors, a compressor, its starter
    "{stuck: {for: 4h}}",
    "{cumulative: {above: 8.0, longer_than: 2h, in: 24h}}",
    "{unreadable: {over: 30min, above: 0.5}}",
    "{duty: {on_above: 60, over: 75min, below: 0.01}}",
    "{short_cycles: {on_above: 0.2, shorter_than: 4min, count: 4, in: 1h}}",
)
_BELOW = (-5.0, -5.0, 5.0, -1.0, -1.0)


def point_count(wanted: int) -> int:
    """The number of points of a site with at least `wanted`: whole assets only."""
    return -(-wanted // len(METRICS)) * len(METRICS)


def catalogue_text(points: int, per_agent: int, interval: int | None = None) -> str:
    """The site file. Agent k owns the points from k · `per_agent` on; both numbers are multiples of the metrics'.
    `interval` (ms) is named as that of every point's readings, if any is."""
    named = f", interval: {interval}ms" if interval else ""
    body = ", ".join(f"{metric}: {{unit: {_quoted(unit)}{named}}}" for metric, unit in METRICS)
    lines = [f"site: {{id: {SITE}}}", f"areas: [{{id: {AREA}}}]", "assets:"]
    for number in range(points // len(METRICS)):
        owner = agent_id(number * len(METRICS) // per_agent)
        lines.append(
            f"- {{id: {asset_id(number)}, type: refrigerator, area: {AREA}, agent: {owner}, points: {{{body}}}}}"
        )
    return "\n".join(lines) + "\n"


def rules_text(instant: bool) -> str:
    """The rule file: three rules per point, and the one without delay if asked for."""
    lines = ["rules:"]
    for (metric, _), above, below in zip(METRICS, _ABOVE, _BELOW, strict=True):
        where = f"applies_to: {{asset_type: refrigerator, metric: {metric}}}"
        name = metric.replace("_", "-")
        lines += _rule(f"{name}-high", where, f"{{above: {above}, deadband: 0.5}}", "30min")
        lines += _rule(f"{name}-low", where, f"{{below: {below}, deadband: 0.5}}", "30min")
        lines += _rule(f"{name}-silent", where, "{no_data: 30min}")
    if instant:
        where = "applies_to: {asset_type: refrigerator, metric: temperature}"
        lines += _rule(INSTANT, where, "{above: 20.0}")
    return "\n".join(lines) + "\n"


def mixed_rules_text() -> str:
    """Three rules per point of the kinds that the rule packs have: a limit with levels (temperatures behind a mask on
    another point), silence, and one on a derived series."""
    lines = ["rules:"]
    for (metric, _), above, derived in zip(METRICS, _ABOVE, _DERIVED, strict=True):
        where = f"applies_to: {{asset_type: refrigerator, metric: {metric}}}"
        name = metric.replace("_", "-")
        lines += [
            f"- id: {name}-high", f"  {where}", "  levels:",
            f"  - {{above: {above}, deadband: 0.5, on_delay: 30min, off_delay: 5min, priority: high}}",
            f"  - {{above: {above}, deadband: 0.5, on_delay: 2h, off_delay: 5min, priority: urgent}}",
        ]  # fmt: skip
        if metric == "temperature":
            lines += ["  mask: {when: {metric: power, below: 1, on_delay: 15min}, for_at_most: 90min, tail: 10min}"]
        lines += _rule(f"{name}-silent", where, "{no_data: 30min}")
        lines += _rule(f"{name}-derived", where, derived)
    return "\n".join(lines) + "\n"


def _rule(name: str, where: str, condition: str, delay: str = "") -> list[str]:
    lines = [f"- id: {name}", f"  {where}", f"  condition: {condition}", "  priority: high"]
    return [*lines, f"  on_delay: {delay}", "  off_delay: 5min"] if delay else lines


def _quoted(unit: str) -> str:
    return f'"{unit}"'
