"""The agent: takes readings from the sources into the outbox, and from the outbox to the broker.

One loop in one thread does everything but the socket: sample when it is due, take the next chunk of a long history
while the outbox has room, publish what the window allows, heed receipts. Time, randomness (the boot's name) and the
connection are handed in. Its order is what nothing may change: a reading is on the disk before it is published, and
stays there until it is receipted.
"""

import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import structlog

from domain.readings import Reading
from domain.times import EARLIEST, MINUTE, SECOND, iso
from edge.clock import Clock
from edge.config import AgentConfig
from edge.link import Event, EventKind, Link
from edge.outbox import GapReason, Outbox
from edge.outbox_file import OutboxCorruptError
from edge.produced import ProducedLog
from edge.publisher import WINDOW, Publisher, ReceiptOutcome
from edge.sampling import Sampler
from wire.messages import (
    Birth,
    BirthPoint,
    ClockState,
    OnlineState,
    Receipt,
    Status,
    decode_receipt,
    encode_birth,
    encode_status,
)
from wire.senml import encode_pack
from wire.topics import birth_topic, readings_topic, status_topic

CHUNK = 1_000  # readings of a history that are taken, and synced to disk, at once
AHEAD = 100_000  # a history waits while more readings than this are not receipted; a full window holds about 40,000
UNSTORED = 10_000  # readings kept in memory while the disk refuses them; beyond it the oldest become a gap
CLOCK_EVERY = MINUTE
FLUSH_FOR = 2 * SECOND
LONGEST_WAIT = 1 * SECOND
UNANSWERED = 2 * MINUTE  # of published packs without any progress, before the log says so
UNANSWERED_AGAIN = 10 * MINUTE

_log = structlog.get_logger("edge.agent")


class Agent:
    """One agent at work; call `start`, then `step` until it is to end, then `finish`."""

    def __init__(
        self, config: AgentConfig, sampler: Sampler, outbox: Outbox, link: Link, clock: Clock,
        new_boot: Callable[[], str], version: str,
    ) -> None:  # fmt: skip
        self._config = config
        self._sampler = sampler
        self._outbox = outbox
        self._link = link
        self._clock = clock
        self._new_boot = new_boot
        self._version = version
        self._publisher = Publisher(outbox, new_boot())
        self._produced = ProducedLog(config.produced_log)
        self._unstored: deque[tuple[Reading, int]] = deque()
        self._promise: int | None = None
        self._units: dict[str, str] = {}
        self._cycle_at = 0
        self._clock_state = ClockState.UNKNOWN
        self._clock_at = 0
        self._connected = False
        self._answer_by = 0
        self._birth = b""
        self._absent_since: tuple[int, bool] | None = None
        self._back_at = 0

    @property
    def done(self) -> bool:
        """Whether the sources will never give anything again and everything is receipted."""
        return self._sampler.exhausted and not self._unstored and self._publisher.settled

    def start(self) -> None:
        """Open files and sources and begin to connect. CaretakerError when the configuration cannot work."""
        self._outbox.open(self._clock.wall())
        self._absent_since = self._outbox.last_cycle()
        self._produced.open()
        self._sampler.open()
        self._cycle_at = self._clock_at = self._clock.tick()
        self._check_clock()
        self._link.start()
        _log.info("agent started", site=self._config.site, agent=self._config.agent, held=self._outbox.held)

    def step(self) -> int:
        """Do what is due; how many ms nothing will be due, if nothing happens."""
        try:
            self._handle(self._link.events())
            self._check_clock()
            self._sample()
            self._stream()
            self._publish()
            self._miss_receipts()
        except OutboxCorruptError as error:
            self._recover(str(error))
        except sqlite3.OperationalError as error:
            _log.error("the outbox cannot be used now; it is tried again", error=str(error))
            return LONGEST_WAIT
        return self._idle_for()

    def finish(self) -> None:
        """Publish what can be published within two seconds, say offline, and close everything."""
        end = self._clock.tick() + FLUSH_FOR
        try:
            while self._connected and not self._publisher.settled and self._clock.tick() < end:
                self._handle(self._link.events())
                self._publish()
                self._link.wait(0.05)
        except (OutboxCorruptError, sqlite3.Error):
            _log.exception("the outbox failed while the agent was stopping")
        if self._connected:
            self._link.publish(self._status_topic, self._status(OnlineState.OFFLINE), retain=True)
            while self._link.unacknowledged and self._clock.tick() < end + FLUSH_FOR // 4:
                self._link.wait(0.05)
        self._link.stop()
        self._sampler.close()
        self._produced.close()
        with suppress(OutboxCorruptError, sqlite3.Error):
            self._outbox.stopped()
        self._outbox.close()
        _log.info("agent stopped", held=self._outbox.held)

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if event.kind is EventKind.CONNECTED:
                self._connected = True
                self._answer_by = self._clock.tick() + UNANSWERED
                self._publisher.on_connect(self._clock.tick())
                self._announce()
            elif event.kind is EventKind.DISCONNECTED:
                self._connected = False
                self._publisher.on_disconnect()
            else:
                self._heed(event.payload)

    def _heed(self, payload: bytes) -> None:
        receipt = decode_receipt(payload)
        if not isinstance(receipt, Receipt):
            _log.warning("a receipt cannot be read", reason=receipt.detail)
            return
        outcome = self._publisher.on_receipt(receipt.boot, receipt.through, self._clock.tick())
        if outcome is ReceiptOutcome.PROGRESS:
            self._answer_by = self._clock.tick() + UNANSWERED
        else:
            _log.debug("receipt", outcome=outcome, boot=receipt.boot, through=receipt.through)

    def _announce(self) -> None:
        """Birth and online status, retained."""
        self._birth = self._birth_now()
        self._link.publish(birth_topic(self._config.site, self._config.agent), self._birth, retain=True)
        self._link.publish(self._status_topic, self._status(OnlineState.ONLINE), retain=True)

    def _check_clock(self) -> None:
        if self._clock.tick() < self._clock_at:
            return
        self._clock_at += CLOCK_EVERY
        state = ClockState.UNKNOWN if self._config.trust_clock else self._clock.state()
        if state is not self._clock_state:
            _log.info("clock", state=state)
            self._clock_state = state

    def _sample(self) -> None:
        """Begin a cycle when it is due, and take what the live sources have at once."""
        tick, now = self._clock.tick(), self._clock.wall()
        if tick < self._cycle_at:
            return
        missed, _ = divmod(tick - self._cycle_at, self._config.sample_interval)
        self._cycle_at += (missed + 1) * self._config.sample_interval
        if now < EARLIEST:
            _log.error("no reading was taken: the clock has not been set", clock=iso(now))
            return
        if missed:
            _log.warning("sampling took longer than its interval", cycles_left_out=missed)
        self._sampler.begin(now)
        self._tell_absence(now)
        points = self._sampler.points()
        self._units = {point.point: point.unit for point in points}
        if self._connected and self._birth_now() != self._birth:
            self._announce()
        self._keep(self._sampler.take(None, clock_trusted=self._clock_trusted))
        self._outbox.trim(now)

    def _tell_absence(self, now: int) -> None:
        """Sensors measured nothing since the last cycle that is on the disk, if that is longer ago than an interval."""
        sensed, before = self._sampler.sensed(), self._absent_since
        self._outbox.cycle = now if sensed else 0
        self._back_at = self._back_at or now  # the first try counts: from then on there are readings
        if before is not None and sensed and self._back_at - before[0] > self._config.sample_interval * 3 // 2:
            reason = GapReason.AGENT_STOPPED if before[1] else GapReason.AGENT_RESTARTED
            self._outbox.add_gap(before[0] + 1, self._back_at - 1, 0, reason, sensed)
            _log.warning("nothing was measured while the agent did not run", since=iso(before[0]), reason=reason)
        self._absent_since = None

    def _stream(self) -> None:
        """Take the next chunk of a history, as far as the outbox has room."""
        room = self._outbox.held < AHEAD and self._outbox.held_bytes < self._config.outbox_bytes // 2
        if self._sampler.streaming and room and not self._unstored:
            self._keep(self._sampler.take(CHUNK, clock_trusted=self._clock_trusted))

    def _keep(self, rows: list[tuple[Reading, int]]) -> None:
        """Bring readings to the disk; what it refuses waits in memory, bounded."""
        self._produced.write(reading for reading, _ in rows)
        self._unstored.extend(rows)
        try:
            self._outbox.append(list(self._unstored), self._clock.wall())
        except sqlite3.OperationalError as error:
            _log.error("readings cannot be written to the outbox: they wait in memory", error=str(error))
            self._shed()
            return
        self._unstored.clear()
        self._promise = self._sampler.promise

    def _shed(self) -> None:
        """Keep the newest readings in memory; the others become a gap as soon as the disk takes it."""
        surplus = len(self._unstored) - UNSTORED
        if surplus <= 0:
            return
        lost = [self._unstored[number][0] for number in range(surplus)]
        times = [reading.time for reading in lost]
        try:
            points = {reading.point for reading in lost}
            self._outbox.add_gap(min(times), max(times), surplus, GapReason.DISK_ERROR, points)
        except sqlite3.OperationalError:
            return  # kept a little longer: a loss must not go unsaid
        for _ in range(surplus):
            self._unstored.popleft()

    def _publish(self) -> None:
        while self._link.unacknowledged < WINDOW:
            pack = self._publisher.next_pack(self._clock.tick(), self._promise, self._units)
            if pack is None:
                return
            payload = encode_pack(
                pack.readings, units=self._units, sent=self._clock.wall(), upto=pack.upto, low=pack.low, gaps=pack.gaps
            )
            topic = readings_topic(self._config.site, self._config.agent, self._publisher.boot, pack.seq)
            self._link.publish(topic, payload)

    def _miss_receipts(self) -> None:
        """Say in words that nobody answers: MQTT 3.1.1 acknowledges even what the broker's rights then throw away."""
        tick = self._clock.tick()
        if not (self._connected and self._publisher.waiting):
            self._answer_by = tick + UNANSWERED
        elif tick >= self._answer_by:
            self._answer_by = tick + UNANSWERED_AGAIN
            user = self._config.broker.user or "nobody (without credentials)"
            _log.error(
                "the broker takes the packs but no receipt comes; readings are kept here. Does ingest run, does it "
                "know this site, and may this user publish for this site and agent?",
                user=user, site=self._config.site, agent=self._config.agent, held=self._outbox.held,
            )  # fmt: skip

    def _recover(self, why: str) -> None:
        """The outbox is damaged: begin a new one under a new boot, so that numbers and rows agree again."""
        self._outbox.start_anew(self._clock.wall(), why)
        self._publisher = Publisher(self._outbox, self._new_boot())
        if self._connected:
            self._publisher.on_connect(self._clock.tick())
            self._announce()

    def _idle_for(self) -> int:
        tick = self._clock.tick()
        if self._sampler.streaming and self._outbox.held < AHEAD and not self._unstored:
            return 0
        due = min(self._cycle_at, self._clock_at, tick + LONGEST_WAIT)
        wake = self._publisher.wake_at()
        if wake is not None and self._link.unacknowledged < WINDOW:
            due = min(due, max(wake, tick + 50))
        return max(0, due - tick)

    @property
    def _clock_trusted(self) -> bool:
        return self._clock_state is not ClockState.UNSYNCHRONISED

    @property
    def _status_topic(self) -> str:
        return status_topic(self._config.site, self._config.agent)

    def _status(self, state: OnlineState) -> bytes:
        return encode_status(Status(state, self._publisher.boot))

    def _birth_now(self) -> bytes:
        points = tuple(
            BirthPoint(point.point, point.unit, point.interval, dict(point.states)) for point in self._sampler.points()
        )
        return encode_birth(Birth(self._publisher.boot, self._version, self._clock_state, points))
