"""How fast a year of one point at one minute is read from its CSV file and judged by two rules."""

import numpy as np

from domain.times import MINUTE
from rules.backtest import backtest
from rules.loading import load_rules
from rules.readings_csv import read_readings
from tests.benchmarks.timing import best, show

T0 = 1_760_000_000_000 // MINUTE * MINUTE
YEAR = 525_600
RULES = """rules:
- id: warm
  applies_to: {metric: t}
  condition: {above: 8.0, deadband: 0.5}
  on_delay: 30min
  priority: high
- id: silent
  applies_to: {metric: t}
  condition: {no_data: 30min}
  priority: low
"""


def test_a_year_of_one_point_is_read_and_judged() -> None:
    times = np.datetime_as_string((T0 + np.arange(YEAR) * MINUTE).astype("datetime64[ms]"), unit="s")
    values = np.where(np.arange(YEAR) % 20_000 < 60, "11.2", "4.25")
    lines = np.char.add(np.char.add(times, "Z,a/t,"), values)
    data = ("time,point,value\n" + "\n".join(lines.tolist()) + "\n").encode()
    rules, found = load_rules(RULES, "rules.yaml"), []
    rows = read_readings([data], "r.csv")
    reading = best(lambda: read_readings([data], "r.csv"))
    judging = best(lambda: found.append(len(backtest(rules, rows).transitions)))
    show("a year of one point at one minute, read from CSV", reading, YEAR)
    show("a year of one point at one minute, judged by two rules", judging, YEAR)
    assert len(rows) == YEAR
    assert set(found) == {2 * 27}
