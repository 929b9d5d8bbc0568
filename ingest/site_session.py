"""One site under one lease: messages become batches, batches are judged and committed, then receipted.

Decides the order in which things happen, which is what makes a reading safe: judge, then one commit, then receipt and
acknowledgement. The judge is never ahead of the journal for longer than a commit takes: a commit that fails is tried
again with the same events, and nothing else is done meanwhile. FencedError ends the session; whoever runs it throws
it away, puts `pending` back and begins a new one from the store.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from domain.alarms import AlarmEvent
from domain.batch import ReadingBatch
from domain.errors import CaretakerError, FencedError
from domain.records import Clock, Commit, ConfigChange, Content, DeadLetter, EntryKind, Position
from domain.times import SECOND
from ingest import configuration
from ingest.accept import Acceptor, Limits
from ingest.alarm_publisher import AlarmPublisher
from ingest.batcher import Batcher, Sealed
from ingest.clocks import ClockNote
from ingest.committing import Committer, StoppedError
from ingest.configuration import Configuration
from ingest.inbox import Inbound
from ingest.latest import LatestBoard
from ingest.letters import replayed
from ingest.metrics import Count
from ingest.outage import BrokerWatch
from ingest.parts import Parts
from ingest.quarantine import Quarantine
from ingest.restore import pack_snapshot, restore
from ingest.room import Room, Shortage
from ingest.tally import count_outcome, tell_clocks
from ingest.timekeeper import Timekeeper
from wire.messages import Receipt, encode_receipt
from wire.topics import receipt_topic

DUTY_EVERY = SECOND
ALARMS_EVERY = 2 * SECOND
REPLAYS_AT_ONCE = 50  # dead letters a second
RECEIPT_QOS = 0  # a lost receipt only delays: the agent asks again

Entry = tuple[EntryKind, Content]

_log = structlog.get_logger()


class SiteSession:
    """The work on one site from the moment its lease was granted (`epoch`)."""

    def __init__(self, site: str, epoch: int, parts: Parts, quarantine: Quarantine | None = None) -> None:
        self.site, self.epoch, self._parts = site, epoch, parts
        self._ledger, self._settings, self._counters = parts.ledger, parts.settings, parts.counters
        self._latest = LatestBoard(site)
        self._alarms = AlarmPublisher(site, parts.ledger, parts.mailbox)
        self._batcher = Batcher(site, self._settings.batch_readings, self._settings.batch_wait)
        self._quarantine = quarantine or Quarantine()
        self._waiting: deque[Inbound] = deque()
        self._sealing: tuple[Inbound, ...] = ()
        restored = restore(self._ledger, site, lambda: parts.make_judge(site), self._latest.take)
        self._judge = restored.judge
        self._commits = Committer(site, restored.n, self._ledger, parts.pause, parts.counters)
        self._config: Configuration | None = restored.config
        settings = self._settings
        limits = Limits(settings.unknown_points, settings.agents_per_hour, settings.future_allowance)
        positions, owners = self._ledger.positions(site), self._ledger.owners(site)
        self._acceptor = Acceptor(site, positions, owners, restored.seen, limits)
        if self._config is not None:
            self._acceptor.configure(self._config.catalogue.by_name)
        self._wanted: Configuration | None = None
        self._refused: ConfigChange | None = None
        self._room = Room(site, self._settings, self._ledger, parts.disk_free)
        self._broker = BrokerWatch(site, self._ledger, self._settings.broker_alarm_after)
        self._connections = -1
        now = max(restored.now, parts.clock())
        every = self._settings.clock_entry_every
        # Nothing was heard since the journal's end.
        self._times = Timekeeper(restored.now, now, deaf=self.n > 0, entry_every=every)
        self._duty_at = self._alarms_at = 0
        self._renewed_at = self._snapshot_at = now
        self._snapshot_n = self.n - restored.replayed
        self._dirty_alarms = True
        _log.info("site begun", site=site, epoch=epoch, n=self.n, replayed=restored.replayed)

    @property
    def n(self) -> int:
        """The newest entry of the journal."""
        return self._commits.n

    @property
    def full(self) -> bool:
        """Whether nothing may be taken: the journal or the disk is full."""
        return self._room.short is not None

    @property
    def short(self) -> Shortage | None:
        """What is full; None while there is room."""
        return self._room.short

    @property
    def wrong_clocks(self) -> Mapping[str, ClockNote]:
        """The agents whose clocks are off."""
        return self._acceptor.clocks.wrong()

    @property
    def pending(self) -> list[Inbound]:
        """Messages that were taken and are not settled."""
        every = (*self._sealing, *self._batcher.messages, *self._waiting)
        return [message for message in every if not message.letter]

    def now(self) -> int:
        """The time, UTC ms, never going back: the journal's order is the order of its times."""
        return self._times.now(self._parts.clock())

    def take(self, messages: Sequence[Inbound]) -> None:
        """Accept or reject the messages; batches that are full are committed."""
        self._look_up()
        self._waiting.extend(messages)
        while self._waiting:
            now = self.now()
            if self._quarantine.idle(now):
                tell_clocks(self.site, self._batcher.take(self._acceptor.express, self._waiting, now))
                if self._batcher.ready(now):
                    self.seal()
                    continue
                if not self._waiting:
                    break
            message = self._waiting[0]
            alone = self._quarantine.alone(message, now)
            if alone:
                self.seal()
            outcome = (self._acceptor.replay if message.letter else self._acceptor.accept)(message, now)
            count_outcome(self.site, outcome, self._counters)
            self._batcher.add(self._waiting.popleft(), outcome, now)
            if alone or self._batcher.ready(now):
                self.seal(judged=not alone or self._quarantine.judged(message, now))

    def tick(self) -> None:
        """Commit a batch that is old enough, and do what is due: to be called at least every 100 ms or so."""
        self._look_up()
        now = self.now()
        if self._batcher.ready(now):
            self.seal()
        if now - self._duty_at >= DUTY_EVERY:
            self._duty_at = now
            self._duties(now)

    def close(self) -> None:
        """Settle what was taken, and leave a snapshot for a quick start."""
        self.seal()
        self._latest.flush(self._ledger)
        if self.n > self._snapshot_n:
            self._save_snapshot(self.now())

    def seal(self, *, judged: bool = True) -> None:
        """Commit what was taken so far (stored only, when it is not to be judged), then receipts, acknowledgements."""
        if self._batcher.empty:
            return
        self._recover_hearing()
        now = self.now()
        self._sealing = tuple(self._batcher.messages)
        sealed = self._batcher.seal(now)
        if not sealed.changes_nothing:
            self._commit_batch(sealed, now, judged=judged)
        for message in () if self._quarantine.idle(now) else self._sealing:
            self._quarantine.settled(message)
        self._sealing = ()
        for position in sealed.answers:
            self._receipt(position)
        self._parts.link.acknowledge(sealed.acks)

    def _judged(self, batch: ReadingBatch, now: int) -> list[AlarmEvent]:
        try:
            return self._judge.feed(batch)
        except Exception:
            self._quarantine.failed(self._sealing, now)  # and the judge is thrown away with this session
            raise

    def _commit_batch(self, sealed: Sealed, now: int, *, judged: bool) -> None:
        batch = sealed.batch
        events = self._judged(batch, now) if batch is not None and judged else []
        kind = EntryKind.BATCH if judged else EntryKind.UNJUDGED
        self._commit(
            Commit(
                self.site,
                self._settings.worker,
                self.epoch,
                now,
                entries=() if batch is None else self._with_clock((kind, batch)),
                positions=sealed.positions,
                events=tuple(events),
                dead_letters=sealed.letters,
                discoveries=sealed.discoveries,
                owners=sealed.owners,
                births=sealed.births,
                statuses=sealed.statuses,
                rules_revision=self._rules_revision,
                replayed=sealed.replayed,
            )
        )
        self._counters.add(Count.REPLAYED, len(sealed.replayed))
        if not judged:
            self._counters.add(Count.UNJUDGED, sealed.packs)
            _log.error("the rule engine fails on readings: stored, not judged", site=self.site, agents=_agents(batch))
        for letter in sealed.letters:
            self._counters.dead_letter(letter.reason)
        if batch is not None:
            self._latest.take(batch)
            self._counters.add(Count.BATCHES)
            self._counters.add(Count.PACKS, sealed.packs)
            self._counters.add(Count.READINGS, len(batch))

    @property
    def _rules_revision(self) -> int:
        return self._config.change.rules_revision if self._config else 0

    def _commit_entry(self, now: int, entry: Entry, events: Sequence[AlarmEvent]) -> None:
        worker, revision = self._settings.worker, self._rules_revision
        commit = Commit(
            self.site, worker, self.epoch, now, self._with_clock(entry), events=tuple(events), rules_revision=revision
        )
        self._commit(commit)

    def _with_clock(self, entry: Entry) -> tuple[Entry, ...]:
        """The entry, after the newest tick of the clock that the judge knows and the journal does not."""
        tick = self._times.take_untold()
        return (entry,) if tick is None else ((EntryKind.CLOCK, tick), entry)

    def _commit(self, commit: Commit) -> None:
        self._commits.commit(commit)
        self._look_up()
        self._dirty_alarms = self._dirty_alarms or bool(commit.events)

    def _receipt(self, position: Position) -> None:
        payload = encode_receipt(Receipt(position.boot, position.through))
        self._parts.mailbox.post(receipt_topic(self.site, position.agent), payload, RECEIPT_QOS)
        self._counters.add(Count.RECEIPTS)

    def _duties(self, now: int) -> None:
        self._keep_lease(now)
        if self._config is not None:  # the first entry of a new site's journal is its configuration
            self._recover_hearing()
        self._quietly(self._look_for_revisions)
        self._follow_configuration()
        self._tell_time(now, self._parts.link.hearing and not self.full)
        self._review(now)
        self._quietly(lambda: self._watch_broker(now))
        self._latest.flush(self._ledger)
        self._publish_alarms(now)
        self._quietly(self._room.check)
        self._take_replays()
        due = self.n - self._snapshot_n >= self._settings.snapshot_entries
        if self.n > self._snapshot_n and (due or self.full or now - self._snapshot_at >= self._settings.snapshot_every):
            self._quietly(lambda: self._save_snapshot(now))
        elif self.full:
            self._quietly(self._trim)

    def _take_replays(self) -> None:
        """Dead letters that a person wants to be put through acceptance again; settled in the same transaction."""
        letters: list[DeadLetter] = []
        self._quietly(lambda: letters.extend(self._ledger.replay_requests(self.site, REPLAYS_AT_ONCE)))
        if letters and not self.full and self._config is not None:
            self.seal()
            self.take([replayed(letter) for letter in letters])
            self.seal()

    def _quietly(self, duty: Callable[[], None]) -> None:
        """A duty that reads the store: when it fails, the next second tries again."""
        try:
            duty()
        except (FencedError, StoppedError):
            raise
        except Exception as error:  # noqa: BLE001 - any failure of the store
            _log.warning("the operational store did not answer; tried again", site=self.site, error=str(error))

    def _keep_lease(self, now: int) -> None:
        if now - self._renewed_at < self._settings.lease_ttl // 3:
            return
        try:
            worker, ttl = self._settings.worker, self._settings.lease_ttl
            held = self._ledger.acquire(self.site, worker, now, ttl, self.epoch)
        except Exception as error:  # noqa: BLE001 - a commit will tell whether the lease still stands
            _log.warning("the lease was not renewed; tried again", site=self.site, error=str(error))
            return
        if held is None:
            raise FencedError(f"the lease of {self.site} is lost")
        self._renewed_at = now

    def _look_up(self) -> None:
        self._times.look_up(self.now())

    def _recover_hearing(self) -> None:
        """After a pause of ingest's own, tell the judge first that nothing could be heard meanwhile."""
        if self._times.recovered():
            self._tell_time(self.now(), False)

    def _tell_time(self, now: int, connected: bool) -> None:
        tick = Clock(now, connected)
        events = self._judge.clock(now, connected)
        if self._times.told(tick, spoke=bool(events)):
            self._commit_entry(now, (EntryKind.CLOCK, tick), events)

    def _review(self, now: int) -> None:
        """Let late readings be judged; before `now` is over nothing else is taken."""
        review, events = self._judge.review(now)
        if review.points or review.several:
            self._commit_entry(now, (EntryKind.REVIEW, review), events)

    def _watch_broker(self, now: int) -> None:
        if self._config is None:
            return
        event = self._broker.look(now, self._parts.link.connected, self._config.change.commissioned_at)
        if event is not None:
            worker, revision = self._settings.worker, self._rules_revision
            self._commit(Commit(self.site, worker, self.epoch, now, events=(event,), rules_revision=revision))

    def _look_for_revisions(self) -> None:
        change = self._ledger.newest_change(self.site)
        if change is None or change == self._refused or (self._config and change == self._config.change):
            return
        try:
            self._wanted = configuration.load(self._ledger, self.site, change)
        except CaretakerError as error:
            self._refuse(change, error)

    def _follow_configuration(self) -> None:
        """Put the newest revisions in force; what came before them is judged by what was in force."""
        config, self._wanted = self._wanted, None
        if config is None:
            return
        self.seal()
        now = self.now()
        try:
            events = self._judge.configure(config.catalogue, config.rules, now)
        except (CaretakerError, ValueError) as error:
            self._refuse(config.change, error)
            self._follow_catalogue_alone(config, now)
            return
        self._put_in_force(config, events, now)

    def _follow_catalogue_alone(self, wanted: Configuration, now: int) -> None:
        """The rules cannot be used: a new catalogue (or a new site) goes with the rules that are in force."""
        before = self._config
        rules = before.rules if before else None
        change = replace(wanted.change, rules_revision=rules.number if rules else 0)
        if before is None or change != before.change:
            config = Configuration(change, wanted.catalogue, rules)
            self._put_in_force(config, self._judge.configure(config.catalogue, rules, now), now)

    def _put_in_force(self, config: Configuration, events: Sequence[AlarmEvent], now: int) -> None:
        self._config = config
        self._acceptor.configure(config.catalogue.by_name)
        self._commit_entry(now, (EntryKind.CONFIG, config.change), events)
        change = config.change
        _log.info("configured", site=self.site, catalogue=change.site_revision, rules=change.rules_revision)

    def _refuse(self, change: ConfigChange, error: Exception) -> None:
        self._refused = change
        _log.error("a revision cannot be used; the former stays in force", site=self.site, error=str(error))

    def _publish_alarms(self, now: int) -> None:
        if self._connections != self._parts.link.connections:
            self._connections = self._parts.link.connections
            self._alarms.republish()
            self._dirty_alarms = True
        if self._dirty_alarms or now - self._alarms_at >= ALARMS_EVERY:
            self._dirty_alarms, self._alarms_at = False, now
            self._alarms.refresh()

    def _save_snapshot(self, now: int) -> None:
        if self._config is None:
            return
        worker, ttl = self._settings.worker, self._settings.lease_ttl
        if self._ledger.acquire(self.site, worker, now, ttl, self.epoch) is None:
            raise FencedError(f"the lease of {self.site} is lost")  # a stale snapshot would undo the successor's
        self._ledger.save_snapshot(
            self.site, self.n, pack_snapshot(self._config.change, now, self._judge.snapshot()), now
        )
        self._snapshot_n, self._snapshot_at, self._renewed_at = self.n, now, now
        self._trim()

    def _trim(self) -> None:
        self._ledger.trim(self.site, self._snapshot_n)


def _agents(batch: ReadingBatch | None) -> list[str]:
    return sorted({span.agent for span in batch.spans}) if batch else []
