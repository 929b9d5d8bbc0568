"""Failures that users of other systems report, played through the whole path here: each must not happen.

They are told of ThingsBoard (telemetry judged by the server's clock, two alarms of one condition, a severity that only
rises), Prometheus (samples out of order, rules not evaluated while down), Kapacitor (no data without its delay, an end
by a backlog) and Home Assistant (`for:` timers lost on restart).
"""

from collections.abc import Callable

from domain.times import DAY, HOUR, MINUTE, SECOND, parse_time
from tests.said import Said
from tests.scenarios.path import WholePath, series_of

Make = Callable[..., WholePath]

T0 = 1_772_352_000_000
FRIDGE = "fridge/temperature"
SITE = """
site: {id: small}
areas: [{id: kitchen}]
assets:
  - {id: fridge, type: refrigerator, area: kitchen, points: {temperature: {interval: 60s}}}
"""
RULES = """
rules:
  - id: warm
    applies_to: {metric: temperature}
    condition: {above: 8}
    on_delay: 30min
    off_delay: 5min
    priority: high
  - id: levels
    applies_to: {metric: temperature}
    levels:
      - {above: 15, priority: medium}
      - {above: 20, priority: urgent}
  - id: silent
    applies_to: {metric: temperature}
    condition: {no_data: 20min}
    priority: low
"""
NORMAL, OPEN, SEEN, RETURNED = "normal", "unacknowledged", "acknowledged", "returned-unacknowledged"


def begun(whole_path: Make) -> WholePath:
    return whole_path(T0, site=SITE, rules=(("rules.yaml", RULES),))


def of(path: WholePath, rule: str) -> list[Said]:
    return [said for said in path.log() if said.rule == rule]


def warm(at: int, source: str = NORMAL) -> Said:
    return Said("warm", FRIDGE, source, OPEN, "above_limit", "high", at)


def cool(at: int) -> Said:
    return Said("warm", FRIDGE, OPEN, RETURNED, "within_limit", "high", at)


def test_an_hour_of_downtime_is_judged(whole_path: Make) -> None:
    """Others evaluate rules at the present only: what began and ended while the server was down never was."""
    path = begun(whole_path)
    path.add_agent("box", series_of(FRIDGE, T0, [4.0] * 20 + [10.0] * 40 + [4.0] * 60))
    path.run(T0 + 10 * MINUTE)
    path.kill_ingest()
    path.run(T0 + 80 * MINUTE)
    path.start_ingest()
    path.run(T0 + 100 * MINUTE)
    assert of(path, "warm") == [warm(T0 + 50 * MINUTE), cool(T0 + 65 * MINUTE)]
    assert of(path, "silent") == [], "it was ingest that was away"


def test_samples_older_than_the_newest_are_stored_and_judged(whole_path: Make) -> None:
    """Others drop samples that are older than the newest one, without a word."""
    path = begun(whole_path)
    early, late = series_of(FRIDGE, T0, [10.0] * 40 + [4.0] * 20), series_of(FRIDGE, T0 + HOUR, [4.0] * 10)
    path.run(T0 + 70 * MINUTE)
    path.publish_simply("device", late)
    path.run(T0 + 75 * MINUTE)
    path.publish_simply("device", early)
    path.run(T0 + 80 * MINUTE)
    assert path.series.count("small") == 70
    assert of(path, "warm") == [warm(T0 + 30 * MINUTE), cool(T0 + 45 * MINUTE)]


def test_a_backlog_of_two_weeks_ago_does_not_end_a_live_no_data_alarm(whole_path: Make) -> None:
    """Others take any sample that arrives for a sign of life."""
    path = begun(whole_path)
    path.publish_simply("device", series_of(FRIDGE, T0, [4.0]))
    path.run(T0 + HOUR)
    assert [said.target for said in of(path, "silent")] == [OPEN]
    path.publish_simply("device", series_of(FRIDGE, T0 - 14 * DAY, [4.0] * 100))
    path.run(T0 + 2 * HOUR)
    assert [said.target for said in of(path, "silent")] == [OPEN]
    path.publish_simply("device", series_of(FRIDGE, path.clock.now, [4.0]))
    path.run(path.clock.now + MINUTE)
    assert [said.target for said in of(path, "silent")] == [OPEN, RETURNED]


def test_a_duration_is_measured_in_the_time_of_the_readings_when_a_backlog_arrives(whole_path: Make) -> None:
    """Others measure by the server's clock: a backlog that arrives in a second never lasts for half an hour, or the ten
    warm minutes at its end last until the next reading."""
    path = begun(whole_path)
    path.add_agent("box", series_of(FRIDGE, T0, [4.0] * 10 + [10.0] * 29 + [4.0] * 20 + [10.0] * 31 + [4.0] * 60))
    path.run(T0 + 5 * MINUTE)
    path.offline("box")
    path.run(T0 + 140 * MINUTE)
    path.online("box")
    path.exchange()
    path.run(T0 + 145 * MINUTE)
    assert of(path, "warm") == [warm(T0 + 89 * MINUTE), cool(T0 + 95 * MINUTE)]
    told = [one for one in path.transitions() if one["rule"] == "warm"]
    assert all(one["retroactive"] and parse_time(one["detected_at"]) >= T0 + 140 * MINUTE for one in told)


def test_no_data_waits_for_its_whole_delay_also_after_a_restart(whole_path: Make) -> None:
    """Others fire at the first evaluation after a start, or as soon as one sample is missing."""
    path = begun(whole_path)
    path.publish_simply("device", series_of(FRIDGE, T0, [4.0]))
    path.run(T0 + 10 * MINUTE)
    path.kill_ingest()
    path.run(T0 + 5 * HOUR)
    path.start_ingest()
    path.run(T0 + 5 * HOUR + 9 * MINUTE)
    assert of(path, "silent") == [], "ten of twenty minutes passed before, nine now"
    path.run(T0 + 5 * HOUR + 12 * MINUTE)
    assert [said.target for said in of(path, "silent")] == [OPEN]


def test_one_condition_is_one_alarm_whatever_is_sent_again(whole_path: Make) -> None:
    """Others open a second alarm when telemetry is repeated, or after a restart."""
    path = begun(whole_path)
    path.add_agent("box", series_of(FRIDGE, T0, [4.0] * 5 + [10.0] * 60 + [4.0] * 30))
    for minute in range(10, 90, 10):
        path.run(T0 + minute * MINUTE)
        path.kill_agent("box")
        path.kill_ingest()
        path.start_ingest()
        path.start_agent("box", again=30)
    path.run(T0 + 90 * MINUTE)
    assert of(path, "warm") == [warm(T0 + 35 * MINUTE), cool(T0 + 70 * MINUTE)]
    listed = path.web.get("/alarms", site="small")["items"]
    assert [(one["rule"], one["point"]) for one in listed if one["rule"] == "warm"] == [("warm", FRIDGE)]


def test_a_priority_steps_down_again(whole_path: Make) -> None:
    """Others can raise the severity of an alarm and never lower it."""
    path = begun(whole_path)
    path.add_agent("box", series_of(FRIDGE, T0, [4.0, 16.0, 21.0, 16.0, 4.0, 4.0]))
    path.run(T0 + 10 * MINUTE)
    assert [(said.reason, said.priority, said.at - T0) for said in of(path, "levels")] == [
        ("above_limit", "medium", MINUTE),
        ("stepped_up", "urgent", 2 * MINUTE),
        ("stepped_down", "medium", 3 * MINUTE),
        ("within_limit", "medium", 4 * MINUTE),
    ]


def test_timers_and_acknowledgements_survive_a_restart(whole_path: Make) -> None:
    """Others begin a delay anew after a restart, and show an acknowledged alarm as new."""
    path = begun(whole_path)
    path.add_agent("box", series_of(FRIDGE, T0, [10.0] * 90 + [4.0] * 20))
    path.run(T0 + 25 * MINUTE)
    path.kill_ingest()
    path.start_ingest()
    path.run(T0 + 40 * MINUTE)
    assert of(path, "warm") == [warm(T0 + 30 * MINUTE)], "25 minutes before the restart counted"
    route = f"/api/v1/sites/small/alarms/warm/{FRIDGE}/acknowledge"
    assert path.web.request("POST", route, json={"by": "li", "note": "door"}).status_code == 200
    path.kill_ingest()
    path.start_ingest()
    path.run(T0 + 80 * MINUTE)
    assert path.alarm("warm", FRIDGE)["state"] == SEEN
    path.run(T0 + 100 * MINUTE)
    assert path.alarm("warm", FRIDGE)["state"] == NORMAL


def test_what_comes_late_while_the_series_store_is_away_is_judged_when_it_answers_again(whole_path: Make) -> None:
    """Others, and an earlier state of this program, stored it and never judged it."""
    path = begun(whole_path)
    day = series_of(FRIDGE, T0, [4.0] * 60 + [10.0] * 50 + [4.0] * 370)
    hole = day[70:100]
    for hour in range(8):
        path.run(T0 + (hour + 1) * HOUR, stride=10 * MINUTE)
        path.publish_simply("device", [one for one in day[60 * hour : 60 * (hour + 1)] if one not in hole])
    path.run(T0 + 8 * HOUR + 20 * MINUTE)
    path.series.away = True
    path.publish_simply("device", hole)
    path.run(T0 + 9 * HOUR, stride=10 * MINUTE)
    path.kill_ingest()
    path.start_ingest()
    path.run(T0 + 10 * HOUR, stride=10 * MINUTE)
    assert of(path, "warm") == []
    path.series.away = False
    path.run(T0 + 10 * HOUR + 5 * MINUTE)
    assert of(path, "warm") == [warm(T0 + 90 * MINUTE), cool(T0 + 115 * MINUTE)]


def test_a_backlog_for_a_rule_on_two_points_waits_for_the_store_and_survives_a_restart(whole_path: Make) -> None:
    """The fridge's temperature came live, the meter's agent was offline: only both together say what happened."""
    site = SITE.replace("60s}}", "60s}, power: {interval: 60s}}")
    idle = """
rules:
  - id: idle
    applies_to: {metric: temperature}
    condition: {all: [{above: 8}, {metric: power, below: 5}]}
    on_delay: 30min
    priority: high
"""
    path = whole_path(T0, site=site, rules=(("rules.yaml", idle),))
    day = series_of(FRIDGE, T0, [4.0] * 60 + [10.0] * 50 + [4.0] * 370)
    for hour in range(8):
        path.run(T0 + (hour + 1) * HOUR, stride=10 * MINUTE)
        path.publish_simply("device", day[60 * hour : 60 * (hour + 1)])
    path.run(T0 + 8 * HOUR + 20 * MINUTE)
    path.series.away = True
    path.publish_simply("meter", series_of("fridge/power", T0, [0.0] * 480))
    path.run(T0 + 9 * HOUR, stride=10 * MINUTE)
    path.kill_ingest()
    path.start_ingest()
    path.run(T0 + 10 * HOUR, stride=10 * MINUTE)
    assert path.log() == []
    path.series.away = False
    path.run(T0 + 10 * HOUR + 5 * MINUTE)
    told = [
        Said("idle", FRIDGE, NORMAL, OPEN, "conditions_met", "high", T0 + 90 * MINUTE),
        Said("idle", FRIDGE, OPEN, RETURNED, "condition_over", "high", T0 + 110 * MINUTE),
    ]
    assert path.log() == told
    path.kill_ingest()
    path.start_ingest()
    path.run(T0 + 11 * HOUR, stride=10 * MINUTE)
    assert path.log() == told


def test_an_outage_of_the_broker_is_one_alarm_and_no_silence_of_every_point(whole_path: Make) -> None:
    """Others page once for every sensor that the broker can no longer bring."""
    path = begun(whole_path)
    path.add_agent("box", series_of(FRIDGE, T0, [4.0] * 240))
    path.run(T0 + 10 * MINUTE)
    path.broker.stop()
    path.run(T0 + 90 * MINUTE, stride=SECOND * 30)
    assert [(one["rule"], one["point"], one["target"]) for one in path.transitions()] == [
        ("broker-unreachable", "site/broker", OPEN)
    ]
    path.kill_ingest()
    path.start_ingest()
    path.run(T0 + 100 * MINUTE)
    path.broker.start()
    path.run(T0 + 110 * MINUTE)
    assert [(one["rule"], one["target"]) for one in path.transitions()] == [
        ("broker-unreachable", OPEN),
        ("broker-unreachable", RETURNED),
    ]
    page = path.web.request("GET", "/").text
    assert "broker" in page
