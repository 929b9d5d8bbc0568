"""RabbitMQ set up as docs/brokers.md says: agent to ingest over TLS, and who may do what."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from store.operational.store import OperationalStore
from store.series_sqlite import SqliteSeriesStore
from tests.installation import Command
from tests.rabbitmq_server import RabbitMQ
from tests.secured_broker import SITE
from tests.support import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

OWN = "caretaker/1/school/agents/canteen"
POINT = "fridge-1/temperature"
READINGS = 5_000
START = 1_772_000_000_000


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    server = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    try:
        server.start()
        server.follow_the_page()
        yield server
    finally:
        server.stop()


class Installation:
    """Ingest and an agent of the site `school`, with their files below one folder."""

    def __init__(self, folder: Path, broker: RabbitMQ) -> None:
        self.folder, self.broker = folder, broker
        self.commands: list[Command] = []
        self.store = OperationalStore(f"sqlite:///{folder}/data/operational.sqlite")
        self.series = SqliteSeriesStore(folder / "data/series.sqlite")
        self.store.apply_site("school", (("site.yaml", SITE.replace("SITE", "school")),), "test", 1)
        for user in ("caretaker-ingest", "school.canteen"):
            (folder / user).write_text(broker.passwords[user])

    def close(self) -> None:
        for command in self.commands:
            command.stop()
        self.store.close()
        self.series.close()

    @contextmanager
    def ingest(self) -> Iterator[None]:
        environment = {
            "CARETAKER_DATA_DIR": str(self.folder / "data"),
            "CARETAKER_BROKER__URL": f"mqtts://localhost:{self.broker.port}",
            "CARETAKER_BROKER__CA_FILE": str(self.broker.authority),
            "CARETAKER_BROKER__PASSWORD_FILE": str(self.folder / "caretaker-ingest"),
        }
        command = Command(self.folder, "ingest", ("ingest",), environment)
        try:
            wait_until(self.connected, 60, f"ingest is connected; see {command.log}")
            yield
        finally:
            assert command.stop() == 0

    def connected(self) -> bool:
        rows = self.store.processes()
        return bool(rows and json.loads(rows[0].info).get("connected"))

    def agent(self) -> Command:
        rows = (f"{START + number * 1000},{POINT},{4 + number % 7}" for number in range(READINGS))
        (self.folder / "readings.csv").write_text("\n".join(["time,point,value", *rows]) + "\n")
        (self.folder / "edge.toml").write_text(
            f'site = "school"\nagent = "canteen"\nbroker = "mqtts://school.canteen@localhost:{self.broker.port}"\n'
            f'ca_file = "{self.broker.authority}"\npassword_file = "school.canteen"\ntrust_clock = true\n'
            'data_dir = "outbox"\n[[source]]\nkind = "csv"\npath = "readings.csv"\ntimes = "until_now"\n'
        )
        self.commands.append(Command(self.folder, "edge", ("edge", "--until-done", "--config", "edge.toml"), {}))
        return self.commands[-1]


@pytest.fixture
def installation(rabbitmq: RabbitMQ, tmp_path: Path) -> Iterator[Installation]:
    (tmp_path / "data").mkdir()
    with closing(Installation(tmp_path, rabbitmq)) as made:
        yield made


def test_an_agent_gets_its_receipts_and_what_is_sent_while_ingest_is_away_is_kept(installation: Installation) -> None:
    with installation.ingest():
        assert installation.agent().wait(120) == 0, "every reading is receipted"
        wait_until(lambda: installation.series.count("school") == READINGS, 30, "every reading is stored once")
    assert installation.store.dead_letters(None, 10) == []
    (agent,) = installation.store.agents("school")
    assert (agent.agent, agent.online) == ("canteen", False)

    device = installation.broker.client("school.canteen")
    device.publish(f"{OWN}/readings", json.dumps([{"n": POINT, "t": time.time(), "v": 5}]).encode())
    device.close()
    with installation.ingest():
        wait_until(lambda: installation.series.count("school") == READINGS + 1, 30, "its session kept the message")


@pytest.mark.parametrize("topic", [
    f"{OWN}/receipt", "caretaker/1/school/agents/plant/readings", "caretaker/1/annex/agents/canteen/readings/b/1",
    "caretaker/1/school/alarms/warm/fridge-1/temperature", "elsewhere",
])  # fmt: skip
def test_an_agent_that_publishes_as_another_is_thrown_out_and_nobody_hears_it(rabbitmq: RabbitMQ, topic: str) -> None:
    ingest, agent = rabbitmq.client("caretaker-ingest"), rabbitmq.client("school.canteen")
    ingest.subscribe("caretaker/1/#")
    agent.publish(f"{OWN}/birth", b"{}")
    wait_until(ingest.has(f"{OWN}/birth"), 20, "its own topics are heard")
    agent.send(topic, b"{}")
    wait_until(lambda: not agent.up, 20, "it is cut off")
    ingest.publish(f"{OWN}/receipt", b"{}")
    wait_until(ingest.has(f"{OWN}/receipt"), 20, "a later message has come")
    assert ingest.topics() == {f"{OWN}/birth", f"{OWN}/receipt"}
    agent.close()
    ingest.close()


@pytest.mark.parametrize(
    "topic", ["#", "caretaker/1/#", "caretaker/1/school/agents/plant/receipt", f"{OWN}/readings/#"]
)
def test_an_agent_that_listens_to_others_is_thrown_out(rabbitmq: RabbitMQ, topic: str) -> None:
    agent = rabbitmq.client("school.canteen")
    agent.ask_for(topic)
    wait_until(lambda: not agent.up, 20, "it is cut off")
    agent.close()


def test_a_retained_message_is_given_to_exactly_its_topic_and_not_to_wildcards(rabbitmq: RabbitMQ) -> None:
    ingest = rabbitmq.client("caretaker-ingest")
    ingest.publish(f"{OWN}/receipt", b'{"boot":"b","through":7}', retain=True)
    agent = rabbitmq.client("school.canteen")
    agent.subscribe(f"{OWN}/receipt")
    wait_until(agent.has(f"{OWN}/receipt"), 20, "the agent gets its receipt")
    agent.publish(f"{OWN}/status", b"{}", retain=True)
    ingest.subscribe("caretaker/1/+/agents/+/status")
    agent.publish(f"{OWN}/readings", b"[]")
    agent.publish(f"{OWN}/status", b"{}")
    wait_until(ingest.has(f"{OWN}/status"), 20, "what is published from now on comes")
    assert [topic for topic, _ in ingest.got] == [f"{OWN}/status"]
    agent.close()
    ingest.close()
