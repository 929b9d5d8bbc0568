"""docs/moving.md, executed: embedded parts with data, then its three settings on real servers, and everything flows on.

The page's own blocks are run, with other folders, ports and names: its settings are read from it, its commands are
typed as it says (`systemctl` starts and stops a process of the test instead).
"""

import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from caretaker.settings import Settings, load_settings
from caretaker.wiring import open_operational, open_series
from domain.alarms import AlarmEvent, AlarmKey, AlarmState, EventKind, Reason
from domain.records import AlarmFilter, TransitionFilter
from tests.broker import mosquitto_child
from tests.influx_server import fresh_database, influx_servers
from tests.installation import Command, influx_url, run
from tests.postgres import postgres
from tests.support import free_port, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

PAGE = (Path(__file__).parents[2] / "docs" / "moving.md").read_text(encoding="utf-8")
WARM = AlarmKey("warm", "fridge-1/temperature")
SITE = """
site: {id: school}
areas: [{id: kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, points: {temperature: {}}}
"""
RULES = """
rules:
  - id: warm
    applies_to: {metric: temperature}
    condition: {above: 8}
    priority: high
"""


def blocks(language: str) -> list[str]:
    """The page's code blocks in that language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


class Installation:
    """The page's machine: /etc/caretaker and /var/lib/caretaker are below the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "etc/caretaker/caretaker.toml"
        self.addresses: dict[str, str] = {}
        self.ports = {"broker": free_port(), "web": free_port()}
        self.service: Command | None = None
        self.said = ""
        self.config.parent.mkdir(parents=True)
        (folder / "var/lib/caretaker").mkdir(parents=True)
        (self.config.parent / "site.yaml").write_text(SITE)
        (self.config.parent / "rules.yaml").write_text(RULES)

    def localized(self, text: str) -> str:
        """The page's text for this folder and these servers."""
        for there, here in self.addresses.items():
            text = text.replace(there, here)
        for path in ("/etc/caretaker", "/var/lib/caretaker"):
            text = text.replace(path, f"{self.folder}{path}")
        return text

    def configure(self, block: int) -> Settings:
        """Write the page's settings file; only the ports are added that are taken on a busy machine."""
        ports = f"[web]\nport = {self.ports['web']}"
        text = self.localized(blocks("toml")[block])
        if "[broker]" not in text:
            ports += f"\n[broker]\nport = {self.ports['broker']}"
        self.config.write_text(f"{text}\n{ports}\n")
        return load_settings(self.config)

    def follow(self, block: int) -> None:
        """Type the commands of one of the page's shell blocks."""
        for line in self.localized(blocks("sh")[block]).splitlines():
            match shlex.split(line):
                case ["systemctl", "start", "caretaker"]:
                    self.start()
                case ["systemctl", "stop", "caretaker"]:
                    self.stop()
                case ["caretaker", "doctor", *words]:
                    wait_until(lambda words=words: self.well(words), 60, "caretaker doctor finds nothing wrong")
                case ["caretaker", *words]:
                    self.said += run(self.folder, *words)
                case _:
                    pytest.fail(f"the page says something that this test does not know: {line}")

    def well(self, words: list[str]) -> bool:
        """Whether nothing is wrong, but that the agent does not run at that moment."""
        command = Command(self.folder, "doctor", ("doctor", *words), {})
        command.wait(60)
        said = command.log.read_text()
        command.log.unlink()
        wrong = [line for line in said.splitlines() if line.startswith("WRONG")]
        return "the audit's chain is whole" in said and all("agent box is offline" in line for line in wrong)

    def start(self) -> None:
        self.service = Command(self.folder, "up", ("up", "--config", str(self.config)), {})

    def stop(self) -> None:
        if self.service is not None:
            assert self.service.stop(60) == 0
            self.service = None

    def agent(self, name: str, port: int, values: list[float]) -> None:
        """Measure these values, one every 100 ms until now, and return when all are receipted."""
        folder = self.folder / name
        folder.mkdir()
        rows = [
            f"{1_772_000_000_000 + 100 * number},fridge-1/temperature,{value}" for number, value in enumerate(values)
        ]
        (folder / "readings.csv").write_text("\n".join(["time,point,value", *rows]) + "\n")
        (folder / "edge.toml").write_text(
            f'site = "school"\nagent = "box"\nbroker = "mqtt://127.0.0.1:{port}"\ndata_dir = "outbox"\n'
            'sample_interval = "100ms"\ntrust_clock = true\n'
            '[[source]]\nkind = "csv"\npath = "readings.csv"\ntimes = "until_now"\n'
        )
        run(self.folder, "edge", "--until-done", "--config", str(folder / "edge.toml"))


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    try:
        yield made
    finally:
        if made.service is not None and made.service.runs:
            made.service.stop(60)


def told(settings: Settings) -> tuple[list[tuple[str, str, int]], list[float], str | None, AlarmState | None]:
    """The log of alarms, the values that are stored, what is wrong with the audit, and how the alarm stands."""
    with closing(open_operational(settings)) as store, closing(open_series(settings)) as series:
        log = store.transitions(TransitionFilter("school"), 1000, newest_first=False)
        alarm = store.alarm("school", WARM)
        values = series.read("school", "fridge-1/temperature", 0, 2**50).value.tolist()
        audit = store.verify_audit("school")
        said = [(str(one.source), str(one.target), one.at) for one in log]
        return said, values, audit, alarm.state if alarm else None


def stored(settings: Settings, readings: int, alarms: int) -> bool:
    log, values, _, _ = told(settings)
    return len(values) == readings and len(log) == alarms


def test_the_page_moves_an_installation_to_servers_and_everything_goes_on(
    installation: Installation, tmp_path: Path
) -> None:
    before = installation.configure(0)
    installation.start()
    wait_until(lambda: before.operational_path.exists(), 30, "the installation has begun")
    installation.agent("first", installation.ports["broker"], [4.0, 9.0, 9.5])
    wait_until(lambda: stored(before, 3, 1), 60, "the readings are stored, the alarm is raised")
    acknowledge(before)
    installation.follow(0)
    log, values, audit, state = told(before)
    assert (values, audit, state) == ([4.0, 9.0, 9.5], None, AlarmState.ACKNOWLEDGED)

    with (
        mosquitto_child(tmp_path) as port, postgres() as server, influx_servers(tmp_path / "influxdb") as influx,
        fresh_database(influx) as address,
    ):  # fmt: skip
        database = prepared(installation, server.url)
        installation.addresses |= {
            "127.0.0.1:1883": f"127.0.0.1:{port}", "http://127.0.0.1:8086/caretaker": influx_url(address),
            "postgresql://caretaker:secret@127.0.0.1:5432/caretaker": database,
        }  # fmt: skip
        after = installation.configure(1)
        try:
            installation.follow(1)
            assert "school: 3 readings of 1 points copied, 0 there already" in installation.said
            assert told(after) == (log, values, None, state), "everything is there before anything new comes"
            installation.agent("second", port, [9.0, 4.0, 12.0])
            wait_until(lambda: stored(after, 6, 4), 60, "readings and alarms flow into the servers")
            now, values, audit, state = told(after)
            assert now[: len(log)] == log
            assert (values[3:], audit, state) == ([9.0, 4.0, 12.0], None, AlarmState.UNACKNOWLEDGED)
            assert told(before)[1] == [4.0, 9.0, 9.5], "what was there stays as it was"
            refuse_a_second_move(installation)
        finally:
            installation.stop()
            drop(server.url, database)


def acknowledge(settings: Settings) -> None:
    with closing(open_operational(settings)) as store:
        (alarm,), _ = store.alarms(AlarmFilter("school"), 10)
        at = (alarm.changed_at or 0) + 1
        store.command("school", AlarmEvent(EventKind.ACKNOWLEDGE, WARM, Reason.BY_PERSON, at, at, by="cook"))


def refuse_a_second_move(installation: Installation) -> None:
    installation.stop()
    words = ("move", "--config", str(installation.config))
    assert Command(installation.folder, "again", words, {}).wait(60) == 2
    assert "holds data already" in (installation.folder / "again.log").read_text()
    assert "0 readings of 1 points copied, 3 there already" in run(installation.folder, *words, "--readings")


def prepared(installation: Installation, url: str) -> str:
    """Type the page's SQL at the server, with a name of the test's own for role and database; the address."""
    name = f"caretaker_moving_{free_port()}"
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for statement in blocks("sql")[0].replace("caretaker", name).split(";"):
            if statement.strip():
                connection.execute(statement.encode())
    place = urlsplit(url)
    return f"postgresql://{name}:secret@{place.hostname}:{place.port}/{name}"


def drop(url: str, database: str) -> None:
    name = database.rpartition("/")[2].encode()
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(b"DROP DATABASE " + name + b" WITH (FORCE)")
        connection.execute(b"DROP ROLE " + name)


def test_the_page_changes_three_settings_and_nothing_else() -> None:
    before, after = (tomllib.loads(text) for text in blocks("toml"))
    changed = {f"{part}.{name}" for part in after for name in after[part] if part not in before}
    assert changed == {"broker.url", "stores.operational", "stores.series"}
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("words", [("move",), ("move", "--readings")])
def test_without_a_server_in_the_settings_there_is_nothing_to_move(
    installation: Installation, words: tuple[str, ...]
) -> None:
    installation.configure(0)
    assert Command(installation.folder, "move", (*words, "--config", str(installation.config)), {}).wait(60) == 2
    assert "name no server to move to" in (installation.folder / "move.log").read_text()
