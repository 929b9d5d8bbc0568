"""The faults: what each one does to a running installation. Whether anything was lost is judged elsewhere.

A fault is a function of a context: it makes its installation, injures it at random moments of a seeded source, and
settles it. Its rounds are what it repeats.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.context import Context, pause
from tests.faults.disks import small_disk
from tests.faults.installation import Installation, copy_outbox, now_ms
from tests.faults.plan import MARKER
from tests.faults.processes import Process, TookTooLongError, wait_for
from tests.faults.proxy import Mangle
from tests.faults.sensed import clock_jumps, overflowing_outbox, silence

HOUR_MS = 3_600_000
MANY = 36  # points, so that what a killed agent's source gives again is given in little time


@dataclass(frozen=True)
class Fault:
    """`quick` and `full` are rounds of about `seconds`; `needs_mosquitto`: the embedded broker will not do."""

    name: str
    what: str
    run: Callable[[Context], None]
    quick: int
    full: int
    needs_mosquitto: bool = True
    seconds: int = 6


def _under_load(place: Installation) -> None:
    """Usually wait until readings are journalled again, sometimes hurt what has hardly begun."""
    if place.random.random() < 0.75:
        before = place.journal_end()
        with suppress(TookTooLongError):
            wait_for(lambda: place.journal_end() > before + 3, 20, "readings are journalled", 0.1)
    pause(place, 0.1, 2.0)


def _kill_and_restart(context: Context, place: Installation, choose: Callable[[], list[Process]]) -> None:
    place.start()
    for number in range(context.rounds):
        _under_load(place)
        victims = choose()
        for victim in victims:
            victim.kill()
        context.tell(f"kill {number + 1} of {context.rounds}: {', '.join(victim.name for victim in victims)}")
        pause(place, 0.0, 0.5)
        for victim in victims:
            if victim is place.broker:
                place.start_broker()
            elif victim is place.ingest:
                place.ingest.start()
        place.keep_load()
    _under_load(place)
    place.settle()


def kill_agent(context: Context) -> None:
    place = context.install(fridges=MANY)
    _kill_and_restart(context, place, lambda: [place.agent])


def kill_ingest(context: Context) -> None:
    place = context.install()
    _kill_and_restart(context, place, lambda: [place.ingest])


def kill_ingest_whole_journal(context: Context) -> None:
    place = context.install(snapshot_every="1h")
    _kill_and_restart(context, place, lambda: [place.ingest])


def kill_embedded_broker(context: Context) -> None:
    place = context.install(broker="embedded")
    _kill_and_restart(context, place, lambda: [place.broker])


def kill_mosquitto(context: Context) -> None:
    place = context.install()
    _kill_and_restart(context, place, lambda: [place.broker])


def kill_any(context: Context) -> None:
    place = context.install(fridges=MANY)
    parts = [place.agent, place.ingest, place.broker]
    _kill_and_restart(context, place, lambda: place.random.sample(parts, place.random.randint(1, 3)))


def kill_series_writer(context: Context) -> None:
    place = context.install(snapshot_every="1h")
    place.start()
    for number in range(context.rounds):
        _under_load(place)
        with locked(place.series):
            pause(place, 1.0, 4.0)
        pause(place, 0.0, 1.5)  # the writer comes back and has much to write
        place.ingest.kill()
        context.tell(f"kill {number + 1} of {context.rounds}: ingest, while it fills the series store")
        place.ingest.start()
        place.keep_load()
    _under_load(place)
    place.settle()


def locked_stores(context: Context) -> None:
    place = context.install()
    place.start()
    for number in range(context.rounds):
        path = (place.series, place.operational)[number % 2]
        with locked(path):
            context.tell(f"{path.name} locked")
            pause(place, 10.5, 14.0)  # longer than a writer waits
            if place.random.random() < 0.3:
                place.ingest.kill()
        if not place.ingest.runs:
            place.ingest.start()
        place.keep_load()
        pause(place, 0.5, 3.0)
    place.settle()


def frozen(context: Context) -> None:
    """A machine that stalls: longer than a lease (15 s) at times."""
    place = context.install()
    place.start()
    for number in range(context.rounds):
        _under_load(place)
        victim = place.ingest if context.quick else place.random.choice((place.agent, place.ingest, place.broker))
        victim.pause()
        context.tell(f"frozen {number + 1} of {context.rounds}: {victim.name}")
        pause(place, 2.0, 6.0 if context.quick else 20.0)
        victim.go_on()
        place.keep_load()
    _under_load(place)
    place.settle()


def flapping_network(context: Context) -> None:
    place = context.install(proxied=True)
    place.start()
    for number in range(context.rounds):
        side = place.random.choice((place.agent_side, place.ingest_side))
        assert side is not None
        what = place.random.choice(("cut", "stall", "reset"))
        context.tell(f"{what} {number + 1} of {context.rounds}")
        getattr(side, what)()
        pause(place, 0.1, 4.0)
        side.heal()
        place.keep_load()
        _under_load(place)
    place.settle()


def lossy_broker(context: Context) -> None:
    place = context.install(proxied=True, snapshot_every="1h")
    place.start()
    assert place.agent_side is not None
    assert place.ingest_side is not None
    for _ in range(context.rounds):
        for side in (place.agent_side, place.ingest_side):
            side.mangle(Mangle(*(place.random.choice((0.0, 0.05, 0.15)) for _ in range(3))))
        pause(place, 6.0, 8.0)
        place.keep_load()
    fates = place.agent_side.fates + place.ingest_side.fates
    context.tell(", ".join(f"{name}: {count}" for name, count in fates.items()))
    if len(fates) < 3:
        context.verdict.notes.append(f"the broker did not lose, repeat and overtake: {dict(fates)}")
    place.settle()


def full_outbox(context: Context) -> None:
    with small_disk(context.folder / "disk", 8) as disk:
        place = context.install(outbox=disk.folder / "box")
        place.start()
        for _ in range(context.rounds):
            _under_load(place)
            disk.fill()
            context.tell("the disk of the outbox is full")
            pause(place, 2.0, 6.0 if context.quick else 40.0)  # after about 25 s the agent's memory is full too
            disk.free()
            place.keep_load()
        _under_load(place)
        place.settle()


def full_journal(context: Context) -> None:
    with small_disk(context.folder / "disk", 400) as disk:
        place = context.install(data=disk.folder / "data")
        place.start()
        for _ in range(context.rounds):
            _under_load(place)
            disk.fill()
            context.tell("the disk of the journal is full")
            pause(place, 2.0, 6.0)
            if not context.quick and place.random.random() < 0.5:
                place.ingest.kill()
            disk.free()
            if not place.ingest.runs:
                place.ingest.start()
            place.keep_load()
        _under_load(place)
        place.settle()
        judged_before_unmount(context)


def full_series(context: Context) -> None:
    with small_disk(context.folder / "disk", 48) as disk:
        place = context.install()
        place.series.symlink_to(disk.folder / "series.sqlite")
        place.start()
        for _ in range(context.rounds):
            _under_load(place)
            disk.fill()
            context.tell("the disk of the series store is full")
            pause(place, 3.0, 6.0)
            disk.free()
            place.keep_load()
        _under_load(place)
        place.settle()
        judged_before_unmount(context)


def series_away(context: Context) -> None:
    """An hour of data, one reading a second and point, while nothing can be written to the series store."""
    place = context.install(step=1_000, begin=now_ms() - 2 * HOUR_MS)
    place.start_broker()
    place.ingest.start()
    wait_for(lambda: place.series.exists() and place.journal_end() > 0, 60, "ingest has begun")
    place.write_end(3_600 if not context.quick else 1_200)
    with locked(place.series):
        place.drain(180)
        context.tell(f"{place.series_lag()} journal entries wait for the series store")
    place.settle()


def agent_offline(context: Context) -> None:
    """72 hours of data, one reading a minute and point, while there is no broker."""
    # Room behind the 72 h for the calm end of every round: nothing may come to lie in the future.
    place = context.install(step=60_000, begin=now_ms() - 120 * HOUR_MS, fridges=6)
    place.ingest.start()
    place.write_end(72 * 60)
    place.agent.start()
    wait_for(lambda: MARKER in place.last_line(), 120, "the agent has taken 72 hours of data", 0.2)
    place.agent.kill()
    context.tell("72 hours are in the outbox")
    place.start_broker()
    for _ in range(context.rounds):
        place.write_end()
        place.agent.start()
        pause(place, 0.8, 3.0)
        place.random.choice((place.agent, place.ingest)).kill()
        place.agent.stop()
        if not place.ingest.runs:
            place.ingest.start()
    place.settle(180)


def restored_outbox(context: Context) -> None:
    place = context.install()
    place.start()
    old = context.folder / "old-outbox"
    for _ in range(context.rounds):
        _under_load(place)
        place.broker.stop()
        pause(place, 1.5, 3.0)  # readings pile up in the outbox
        place.agent.kill()
        copy_outbox(place.outbox, old)
        place.start_broker()
        place.start_agent()
        wait_for(lambda: _emptied(place), 120, "the outbox is empty")
        copy_outbox(old, place.outbox)
        context.tell("an old copy of the outbox is back")
        place.start_agent()
    _under_load(place)
    place.settle()


def _emptied(place: Installation) -> bool:
    """Stop the agent in good order; whether it left nothing behind (else it runs on for a while)."""
    with suppress(TookTooLongError):
        wait_for(lambda: _connected(place), 20, "the agent is connected")
    time.sleep(3)
    place.agent.stop()
    connection = sqlite3.connect(place.outbox / "outbox.db")
    try:
        (held,) = connection.execute("SELECT (SELECT count(*) FROM reading) + (SELECT count(*) FROM gap)").fetchone()
    finally:
        connection.close()
    if held:
        place.start_agent()
    return int(held) == 0


def _connected(place: Installation) -> bool:
    """Whether the agent's present run has reached the broker."""
    _, _, since = place.agent.log.read_text().rpartition("agent started")
    return " connected " in since


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process writes to this SQLite file and does not end."""
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def judged_before_unmount(context: Context) -> None:
    """The stores lie on the disk that is about to go."""
    assert context.place is not None
    from tests.faults.verdict import judge

    judge(context)
    context.place.close()
    context.place = None


FAULTS = (
    Fault("kill-agent", "SIGKILL of the agent", kill_agent, 3, 45),
    Fault("kill-ingest", "SIGKILL of ingest, snapshots every 5 s", kill_ingest, 2, 45),
    Fault(
        "kill-ingest-journal", "SIGKILL of ingest, which replays all of its journal", kill_ingest_whole_journal, 1, 15
    ),
    Fault("kill-embedded-broker", "SIGKILL of the embedded broker", kill_embedded_broker, 2, 35, False),
    Fault("kill-mosquitto", "SIGKILL of Mosquitto in its default configuration", kill_mosquitto, 2, 35),
    Fault("kill-any", "SIGKILL of one to three of agent, ingest, broker at once", kill_any, 2, 20),
    Fault("kill-series-writer", "SIGKILL of ingest while it fills the series store", kill_series_writer, 1, 20),
    Fault(
        "locked-stores",
        "the series store or the operational store locked by another process",
        locked_stores,
        1,
        6,
        seconds=18,
    ),
    Fault("frozen", "agent, ingest or broker stopped for a while and continued", frozen, 1, 12, seconds=20),
    Fault("flapping-network", "connections cut, stalled, reset", flapping_network, 3, 25),
    Fault("lossy-broker", "a broker that loses, repeats and reorders messages", lossy_broker, 1, 10, seconds=10),
    Fault("full-outbox", "the disk of the outbox full", full_outbox, 1, 6, seconds=30),
    Fault("full-journal", "the disk of the operational store full", full_journal, 1, 6),
    Fault("full-series", "the disk of the series store full", full_series, 1, 6),
    Fault("series-away", "the series store away for an hour of data", series_away, 1, 1),
    Fault("agent-offline", "the agent offline for 72 h of data", agent_offline, 1, 6, seconds=25),
    Fault(
        "overflowing-outbox", "the agent cut off for longer than its outbox holds", overflowing_outbox, 1, 4, seconds=50
    ),
    Fault("clock-jumps", "the agent's clock jumps back and forth", clock_jumps, 4, 20),
    Fault("silence", "stalls, cuts and outages under no-data rules", silence, 1, 5, seconds=60),
    Fault("restored-outbox", "an outbox restored from an old copy", restored_outbox, 1, 6, seconds=15),
)
