"""Faults that need a clock or silence: the agent reads sensors, and every reading carries its wall clock."""

import time

from tests.faults.context import Context, pause
from tests.faults.installation import Installation
from tests.faults.judge import logged_transitions
from tests.faults.processes import shifted_agent, wait_for
from tests.faults.sensors import Sensors
from tests.said import Said

MANY = 150  # sensors, so that a small outbox is soon full
STEP = 200  # ms between two cycles of the agent
SILENT_AFTER = 8.0  # seconds
CUT = 14.0  # longer than that
STILL_ALIVE = 4.0  # shorter than that
# Between an event and its arrival lie a cycle, a batch and what the machine is busy with.
ARRIVAL_TOLERANCE = 2.5
RETURN_TOLERANCE = 60.0  # the agent's own back-off after a cut
JUMPS = (-600_000, -45_000, -2_500, 0, 1_500, 30_000, 240_000)  # ms; ingest believes 5 min of the future


def clock_jumps(context: Context) -> None:
    """The agent's clock jumps back and forth: most readings come late."""
    place = context.install(step=STEP, fridges=6)
    place.keep_journal()
    context.late = True
    sensors = _sensors(place, context.seed)
    shift = place.folder / "shift"
    shift.write_text("0")
    place.replace_agent(shifted_agent("shifted-agent", place.folder, shift, "edge", "--config", "agent.toml"))
    try:
        place.start_broker()
        place.ingest.start()
        place.agent.start()
        wait_for(lambda: place.journal_end() > 3, 180, "the installation takes readings")
        for number in range(context.rounds):
            ahead = place.random.choice(JUMPS)
            shift.with_suffix(".new").write_text(str(ahead))
            shift.with_suffix(".new").replace(shift)
            context.tell(f"jump {number + 1} of {context.rounds}: the clock is {ahead / 1000:+} s off")
            pause(place, 3.0, 6.0)
        sensors.calm()
        time.sleep(3)
        place.agent.stop()
    finally:
        sensors.close()
    place.write_marker()
    place.settle(ended=True)


def overflowing_outbox(context: Context) -> None:
    """The agent is cut off for longer than its outbox can hold: the oldest readings become gap records."""
    place = context.install(step=100, fridges=MANY, proxied=True)
    context.wants_gaps = True
    assert place.agent_side is not None
    sensors = _sensors(place, context.seed, changing=0.1, sample_interval="100ms", outbox_bytes="1MiB")
    try:
        place.start_broker()
        place.ingest.start()
        place.agent.start()
        wait_for(lambda: place.journal_end() > 3, 180, "the installation takes readings")
        for _ in range(context.rounds):
            place.agent_side.cut()
            said = _drops(place)
            wait_for(lambda said=said: _drops(place) > said, 90, "the outbox is full")  # type: ignore[misc]
            pause(place, 1.0, 4.0)
            context.tell("the outbox has dropped its oldest readings")
            if place.random.random() < 0.5:
                place.agent.stop()
                place.agent.start()
            place.agent_side.heal()
            before = place.journal_end()
            wait_for(lambda before=before: place.journal_end() > before + 5, 60, "the agent is back")  # type: ignore[misc]
            pause(place, 1.0, 3.0)
        sensors.calm()
        time.sleep(3)
        place.agent.stop()
    finally:
        sensors.close()
    place.write_marker()
    place.settle(ended=True)


def _drops(place: Installation) -> int:
    return place.agent.log.read_text().count("dropped its oldest")


def silence(context: Context) -> None:
    """No-data rules: a cut is one silence per point; a short stall, and an outage of ingest, are none."""
    place = context.install(step=STEP, fridges=6, proxied=True, silent_after=f"{SILENT_AFTER}s")
    assert place.agent_side is not None
    sensors = _sensors(place, context.seed)
    cuts: list[tuple[float, float]] = []
    try:
        place.start_broker()
        place.agent.start()
        wait_for(lambda: "connected" in place.agent.log.read_text(), 60, "the agent is connected")
        place.ingest.start()
        # Until the agent tries again ingest hears nothing of it, which may rightly be called silence.
        wait_for(lambda: place.journal_end() > 30, 180, "the installation takes readings")
        steady = time.time()
        for _ in range(context.rounds):
            place.agent_side.stall()
            time.sleep(STILL_ALIVE)
            place.agent_side.heal()
            context.tell("stalled for a moment")
            pause(place, 1.0, 3.0)
            place.ingest.kill()
            pause(place, SILENT_AFTER / 2, SILENT_AFTER)
            place.ingest.start()
            before = place.journal_end()
            wait_for(lambda before=before: place.journal_end() > before + 5, 180, "ingest is back")  # type: ignore[misc]
            context.tell("ingest was away")
            time.sleep(SILENT_AFTER / 2)
            cuts.append(_cut(place))
            context.tell("cut long enough to be called silent")
        sensors.calm()
        time.sleep(3)
        place.agent.stop()
    finally:
        sensors.close()
    place.write_marker()
    place.settle(ended=True)
    _judge_silence(context, place, cuts, steady)


def _cut(place: Installation) -> tuple[float, float]:
    """Cut the agent off until everybody must have been called silent, and wait until it is back; UTC seconds."""
    assert place.agent_side is not None
    begin = time.time()
    place.agent_side.cut()
    time.sleep(CUT)
    place.agent_side.heal()
    end = time.time()
    before = place.journal_end()
    wait_for(lambda: place.journal_end() > before + 15, RETURN_TOLERANCE, "the agent is back")
    return begin, end


def _judge_silence(context: Context, place: Installation, cuts: list[tuple[float, float]], steady: float) -> None:
    """Per point exactly one raise and one return for each cut since `steady`, within the stated tolerances."""
    logged = logged_transitions(place.operational)
    said = [one for one in logged if one.rule == "silent" and one.at / 1000 >= steady]
    for point in (name for name in place.plan.points if name.endswith("temperature")):
        mine = sorted((one for one in said if one.point == point), key=lambda one: one.at)
        if len(mine) != 2 * len(cuts):
            context.verdict.alarms_differ += abs(len(mine) - 2 * len(cuts))
            context.verdict.notes.append(f"silence of {point}: {len(mine)} transitions for {len(cuts)} cuts: {mine}")
            continue
        for (begin, end), raised, back in zip(cuts, mine[::2], mine[1::2], strict=True):
            due = begin + SILENT_AFTER
            _within(context, raised, "no_data", due - ARRIVAL_TOLERANCE, due + ARRIVAL_TOLERANCE)
            _within(context, back, "data_returned", end, end + RETURN_TOLERANCE)


def _within(context: Context, said: Said, reason: str, least: float, most: float) -> None:
    if said.reason != reason or not least <= said.at / 1000 <= most:
        context.verdict.alarms_differ += 1
        context.verdict.notes.append(f"expected {reason} from {least:.1f} to {most:.1f}, there is {said}")


def _sensors(
    place: Installation, seed: int, changing: float = 1.0, sample_interval: str = "200ms", outbox_bytes: str = "200MB"
) -> Sensors:
    points = [point for point in place.plan.points if point.endswith("temperature")]
    sensors = Sensors(place.folder / "bus", points, seed, changing)
    place.folder.joinpath("agent.toml").write_text(place.agent_head(sample_interval, outbox_bytes) + sensors.source())
    return sensors
