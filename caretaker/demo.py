"""The demonstration: two simulated edge agents, a week of history over the real path, then two faults, live.

It decides the order of things and nothing else: readings, alarms and pages are made by the same processes that `up`
runs. The history ends at `hold_at`; when all of it is stored, the moment of going live is fixed, and the faults are
timed from it, so that a slow machine only waits longer and sees the same.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from caretaker.commands.up import start_core, wait_for_port
from caretaker.process import now_ms
from caretaker.settings import EMBEDDED, Settings, child_environment, load_settings, read_text
from caretaker.supervisor import ChildSpec, Supervisor, claim_run_dir, own_command
from caretaker.wiring import open_console, open_series, rule_documents
from domain.alarms import EventKind, Transition
from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError
from domain.records import TransitionFilter
from domain.times import DAY, HOUR, MINUTE, SECOND, iso
from store.operational.store import OperationalStore

MARKER = "made-by-caretaker-demo"
HOLD_BACK = 6 * HOUR  # the last stretch is simulated when the moment of going live is known: time enough to get warm
LEAD = 6 * SECOND  # from the decision to going live: the configuration reaches ingest, the last stretch arrives
ALARM_AFTER = 30 * SECOND  # the cold-storage alarm, after going live
ON_DELAY = 30 * MINUTE  # of the rule `cold-storage-high` in the pack cn-canteen
LIMIT = 8.0  # °C, of the same rule
FRIDGE, BOILER = "fridge-1", "boiler-1"
AGENTS = ("canteen", "plant")
RULES = ("pack:cn-canteen", "pack:facility-basic")


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line says; `run_for` is in seconds from going live, None: until Ctrl-C."""

    data_dir: Path
    site_file: Path
    days: int
    seed: int
    broker: str
    web_port: int
    broker_port: int
    run_for: float | None
    record: bool


@dataclass
class Demo:
    """One run of the demonstration; `stopped` says that the user wants to end it."""

    options: DemoOptions
    say: Callable[[str], None]
    stopped: Callable[[], bool]
    started_at: int = field(default_factory=now_ms)

    def prepare(self) -> tuple[Settings, Path, Catalogue]:
        """A fresh folder with the configuration of every process, and the site and rules applied."""
        options = self.options
        fresh_folder(options.data_dir)
        config = options.data_dir / "caretaker.toml"
        config.write_text(_settings_toml(options), encoding="utf-8")
        settings = load_settings(config)
        for agent in AGENTS:
            text = _agent_toml(options, settings, agent, self.started_at)
            (options.data_dir / f"{agent}.toml").write_text(text, encoding="utf-8")
        text = read_text(options.site_file)
        catalogue = load_catalogue(text, str(options.site_file))
        store = open_console(settings)
        store.apply_site(catalogue.site, ((options.site_file.name, text),), "demo", self.started_at)
        store.apply_rules(catalogue.site, rule_documents(RULES), "demo", self.started_at)
        store.close()
        return settings, config, catalogue

    def run(self, progress: "Progress") -> int:
        """The whole demonstration; the exit code."""
        settings, config, catalogue = self.prepare()
        claim_run_dir(settings.run_dir)
        logs = self.options.data_dir / "logs"
        supervisor = Supervisor(settings.run_dir, child_environment(), self.say)
        store = open_console(settings)
        try:
            start_core(supervisor, settings, config, self.stopped, logs)
            if not wait_for_port(settings.web.host, settings.web.port, self.stopped, 60):
                return self._ended_early(logs)
            url = f"http://{settings.web.host}:{settings.web.port}/"
            self.say(f"The board: {url}")
            for agent in AGENTS:
                command = own_command("edge", "--config", str(self.options.data_dir / f"{agent}.toml"))
                supervisor.add(ChildSpec(f"edge-{agent}", command, logs / f"edge-{agent}.log"))
            if not self._load_history(supervisor, settings, store, catalogue, progress):
                return self._ended_early(logs)
            live_at = self._go_live(store, catalogue.site)
            self._watch(supervisor, store, catalogue.site, live_at, url)
            self._summary(settings, store, catalogue.site, live_at)
            return 0
        finally:
            supervisor.stop()
            store.close()

    def _ended_early(self, logs: Path) -> int:
        if self.stopped():
            self.say("Stopped.")
            return 0
        raise CaretakerError("the web process did not answer", f"see {logs}/web.log")

    def _load_history(
        self,
        supervisor: Supervisor,
        settings: Settings,
        store: OperationalStore,
        catalogue: Catalogue,
        progress: "Progress",
    ) -> bool:
        """Until every point's history is stored; False when the user stopped it."""
        series = open_series(settings)
        start, hold_at = history_span(self.started_at, self.options.days)
        points = [point.name for point in catalogue.points() if point.agent in AGENTS]
        progress.begin(len(points) * ((hold_at - start) // MINUTE))
        try:
            while not self.stopped():
                supervisor.tick()
                newest = {row.point: row.time for row in series.latest(catalogue.site)}
                done = sum(max(0, newest.get(name, start) - start) // MINUTE for name in points)
                progress.show(done)
                settled = store.cursor(catalogue.site, "series") >= store.journal_end(catalogue.site)
                if settled and all(newest.get(name, 0) >= hold_at - MINUTE for name in points):
                    progress.end()
                    return True
                time.sleep(0.3)
        finally:
            series.close()
        return False

    def _go_live(self, store: OperationalStore, site: str) -> int:
        live_at = now_ms() + LEAD
        store.commission(site, live_at, "demo", now_ms())
        faults = [
            {
                "kind": "compressor_failure",
                "target": FRIDGE,
                "crosses": {"above": LIMIT, "at": live_at + ALARM_AFTER - ON_DELAY},
            },
            {"kind": "boiler_fault", "target": BOILER, "start": live_at + 10 * SECOND, "duration": "25s"},
        ]
        control = self.options.data_dir / "control.json"
        temporary = control.with_suffix(".new")
        temporary.write_text(json.dumps({"live_at": live_at, "faults": faults}, indent=1))
        temporary.replace(control)
        took = (now_ms() - self.started_at) / 1000
        self.say(f"{self.options.days} d of history are stored ({took:.0f} s). Live in {LEAD // SECOND} s.")
        self.say(
            f"The compressor of {FRIDGE} failed a while ago: its alarm comes about {ALARM_AFTER // SECOND} s after."
        )
        return live_at

    def _watch(self, supervisor: Supervisor, store: OperationalStore, site: str, live_at: int, url: str) -> None:
        seen = max((row.id for row in store.transitions(TransitionFilter(site=site), 1)), default=0)
        live_said = False
        while not self.stopped():
            supervisor.tick()
            now = now_ms()
            if not live_said and now >= live_at:
                live_said = True
                self.say(f"Live: {url}  (Ctrl-C ends)")
            for row in store.transitions(TransitionFilter(site=site, after=seen), 100, newest_first=False):
                seen = row.id
                if row.at >= live_at:
                    self.say(describe(row, live_at))
            if self.options.run_for is not None and now >= live_at + self.options.run_for * 1000:
                return
            time.sleep(0.2)

    def _summary(self, settings: Settings, store: OperationalStore, site: str, live_at: int) -> None:
        series = open_series(settings)
        try:
            stored = series.count(site)
        finally:
            series.close()
        rows = store.transitions(TransitionFilter(site=site, start=live_at), 1000, newest_first=False)
        before = store.transitions(TransitionFilter(site=site, end=live_at), 1000)
        raised = [row for row in rows if row.event is EventKind.RAISE]
        letters = len(store.dead_letters(None, 1000))
        self.say(
            f"Seen: {stored:,} readings stored, {letters} refused; {len(before)} transitions of the history, which"
        )
        self.say(f"asked nothing of anybody; {len(raised)} alarms since going live:")
        for row in rows:
            self.say(describe(row, live_at))


class Progress(Protocol):
    """Shows a person how far the history has come."""

    def begin(self, total: int) -> None:
        """`total` readings are to come."""

    def show(self, done: int) -> None:
        """`done` of them are stored."""

    def end(self) -> None:
        """All are stored."""


def history_span(started_at: int, days: int) -> tuple[int, int]:
    """First and last moment of the history's first part, UTC ms, on whole minutes."""
    hold_at = (started_at - HOLD_BACK) // MINUTE * MINUTE
    return (started_at - days * DAY) // MINUTE * MINUTE, hold_at


def describe(row: Transition, live_at: int) -> str:
    """One line on a transition since going live."""
    value = "" if row.value is None else f", value {row.value:.1f}"
    after = (row.at - live_at) / 1000
    return f"  +{after:4.0f} s  {row.key.rule} of {row.key.point}: {row.source} -> {row.target} ({row.reason}{value})"


def fresh_folder(folder: Path) -> None:
    """Make the folder empty; only one that an earlier demonstration made is cleared."""
    try:
        if folder.exists() and any(folder.iterdir()):
            if not (folder / MARKER).exists():
                raise CaretakerError(
                    f"{folder} holds something that no demonstration made", "choose another folder with --data-dir"
                )
            claim_run_dir(folder / "data" / "run")
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).write_text(f"begun {iso(now_ms())}; `caretaker demo` clears this folder when it starts\n")
    except OSError as error:
        raise CaretakerError(
            f"{folder} cannot be used: {error.strerror}", "choose another folder with --data-dir"
        ) from None


def toml_text(text: str | Path) -> str:
    """The text as a TOML string. CaretakerError for a path that is no text."""
    quoted = json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
    try:
        quoted.encode()
    except UnicodeEncodeError:
        raise CaretakerError(f"{str(text)!a} is not UTF-8", "choose another folder with --data-dir") from None
    return quoted


def _settings_toml(options: DemoOptions) -> str:
    return "\n".join(
        [
            'data_dir = "data"',
            "[broker]",
            f"url = {toml_text(options.broker or EMBEDDED)}",
            f"port = {options.broker_port}",
            "[web]",
            f"port = {options.web_port}",
            "",
        ]
    )


def _agent_toml(options: DemoOptions, settings: Settings, agent: str, started_at: int) -> str:
    start, hold_at = history_span(started_at, options.days)
    record = options.data_dir / f"produced-{agent}.jsonl"
    lines = [
        'site = "school"',
        f"agent = {toml_text(agent)}",
        f"broker = {toml_text(settings.broker_url)}",
        f"data_dir = {toml_text((options.data_dir / f'agent-{agent}').absolute())}",
        'sample_interval = "1s"',
        "trust_clock = true",  # the simulated plant has the machine's own time
        *([f"produced_log = {toml_text(record.absolute())}"] if options.record else []),
        "[[source]]",
        'kind = "simulated"',
        f"site = {toml_text(options.site_file.absolute())}",
        f"scenario = {toml_text(options.site_file.absolute().parent / 'scenarios' / 'demo.yaml')}",
        f"agent = {toml_text(agent)}",
        f"seed = {options.seed}",
        'interval = "60s"',
        'live_interval = "5s"',
        f"start = {toml_text(iso(start))}",
        f"hold_at = {toml_text(iso(hold_at))}",
        f"control = {toml_text((options.data_dir / 'control.json').absolute())}",
        "",
    ]
    return "\n".join(lines)
