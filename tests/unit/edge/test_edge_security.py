"""The agent at a secured broker: whom it trusts, as whom it connects, and what it says when nobody answers."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog

from domain.errors import InputError
from edge.agent import UNANSWERED, UNANSWERED_AGAIN, Agent
from edge.config import AgentConfig, Broker, parse_config
from edge.link import MqttLink
from edge.outbox import Outbox
from edge.sampling import Feed, Sampler
from tests.support import needs
from tests.unit.edge.agent_rig import FakeClock, FakeLink, Sensor
from wire.topics import client_id

MINE = """\
site = "hillside"
agent = "kitchen"
broker = "mqtts://hillside.kitchen@broker.lan"
ca_file = "ca.crt"
data_dir = "data"
[[source]]
kind = "onewire"
"""


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate in the agent's folder."""
    import subprocess

    path = tmp_path / "ca.crt"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=x"]
    files = ["-keyout", str(tmp_path / "ca.key"), "-out", str(path)]
    subprocess.run([needs("openssl", "openssl"), *words, *files], check=True, capture_output=True, timeout=30)
    return path


def test_the_authority_is_read_from_the_agents_folder(tmp_path: Path, authority: Path) -> None:
    broker = parse_config(MINE, str(tmp_path / "edge.toml")).broker
    assert broker == Broker("broker.lan", 8883, tls=True, user="hillside.kitchen", ca_file=authority)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), ("", "cannot be used"), ("no certificate", "cannot be used"), ("-----BEGIN", "cannot be")],
)
def test_an_authority_that_cannot_be_used_is_a_mistake_with_its_line(tmp_path: Path, content, words) -> None:
    if content is not None:
        (tmp_path / "ca.crt").write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        parse_config(MINE, str(tmp_path / "edge.toml"))
    assert caught.value.place.line == 4
    assert "PEM" in caught.value.remedy


def test_an_authority_without_tls_is_a_mistake(tmp_path: Path, authority: Path) -> None:
    with pytest.raises(InputError, match="ca_file without TLS"):
        parse_config(MINE.replace("mqtts", "mqtt"), str(tmp_path / "edge.toml"))


def test_the_client_id_names_one_agent_only() -> None:
    assert client_id("hillside", "kitchen") == "hillside.kitchen"
    assert client_id("a-b", "c") != client_id("a", "b-c")
    for site, agent in (("a.b", "c"), ("a", "b.c"), ("", "a"), ("a", "#")):
        with pytest.raises(ValueError, match="id"):
            client_id(site, agent)


def made_link(**more) -> MqttLink:
    return MqttLink(Broker("127.0.0.1", 1, **more), "hillside.kitchen", "x/receipt", ("x/status", b"offline"))


def test_the_link_checks_the_brokers_certificate_and_name(authority: Path) -> None:
    for more in ({"ca_file": authority}, {}):
        context = made_link(tls=True, **more)._client._ssl_context
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
    assert made_link()._client._ssl_context is None


def test_why_a_connection_failed_and_that_receipts_are_refused_is_said() -> None:
    link = made_link()
    with structlog.testing.capture_logs() as logs:
        try:
            raise ssl.SSLCertVerificationError("certificate verify failed")
        except OSError:
            link._on_connect_fail(SimpleNamespace(), None)
        link._on_subscribe(SimpleNamespace(), None, 1, [SimpleNamespace(is_failure=False)], None)
        link._on_subscribe(SimpleNamespace(), None, 1, [SimpleNamespace(is_failure=True)], None)
    assert [log["event"] for log in logs] == [
        "the broker cannot be reached; tried again",
        "the broker refused the agent's receipts; check this user's rights",
    ]
    assert "certificate verify failed" in logs[0]["error"]


class Waiting:
    """An agent with one sensor whose packs nobody receipts until asked to."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.link = FakeLink(self.clock)
        config = AgentConfig(
            site="hillside", agent="kitchen", broker=Broker("h", 1, user="hillside.cook"), data_dir=folder,
            sample_interval=10_000, outbox_bytes=10**9, outbox_age=10**12, sources=(),
        )  # fmt: skip
        self.outbox = Outbox(folder / "outbox.db", config.outbox_bytes, config.outbox_age)
        sampler = Sampler([Feed(Sensor(), True)], config.sample_interval)
        self.agent = Agent(config, sampler, self.outbox, self.link, self.clock, lambda: "b1", "1")
        self.agent.start()

    def complaints(self, ms: int) -> list[dict]:
        """What is said about missing receipts in that time."""
        with structlog.testing.capture_logs() as logs:
            for _ in range(ms // 1000):
                self.clock.advance(1000)
                self.agent.step()
        return [log for log in logs if "no receipt comes" in log["event"]]


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    made = Waiting(tmp_path)
    yield made
    made.outbox.close()


def test_packs_that_nobody_receipts_are_told_in_words_and_not_too_often(waiting: Waiting) -> None:
    waiting.link.connect()
    waiting.agent.step()
    assert waiting.complaints(UNANSWERED - 1000) == []
    (said,) = waiting.complaints(2000)
    assert said["log_level"] == "error"
    assert (said["user"], said["site"], said["agent"]) == ("hillside.cook", "hillside", "kitchen")
    assert "may this user publish" in said["event"]
    assert waiting.complaints(UNANSWERED_AGAIN - 3000) == []
    assert len(waiting.complaints(3000)) == 1


def test_a_receipt_begins_the_wait_anew(waiting: Waiting) -> None:
    waiting.link.connect()
    assert waiting.complaints(UNANSWERED - 5000) == []
    waiting.link.receipt("b1", 1)
    assert waiting.complaints(UNANSWERED - 1000) == []
    assert len(waiting.complaints(UNANSWERED)) == 1


def test_receipts_that_settle_nothing_are_no_answer(waiting: Waiting) -> None:
    waiting.link.connect()
    waiting.agent.step()
    for _ in range(UNANSWERED // 10_000 - 1):
        waiting.link.receipt("another-boot", 5)
        assert waiting.complaints(10_000) == []
    assert len(waiting.complaints(11_000)) == 1


def test_an_agent_that_is_answered_or_not_connected_says_nothing(waiting: Waiting) -> None:
    assert waiting.complaints(UNANSWERED + 5000) == []  # without a connection the link has said why
    waiting.link.answering = True
    waiting.link.connect()
    assert waiting.complaints(2 * UNANSWERED) == []
