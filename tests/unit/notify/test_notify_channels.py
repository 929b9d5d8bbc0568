"""The channels answer: a real HTTP server on this machine takes what Apprise sends, refuses it, or is not there."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import structlog

from domain.alarms import Priority
from domain.errors import CaretakerError
from notify.channels import Answer, AppriseChannel, LogChannel, open_channels
from notify.decide import Action
from notify.message import Message

MESSAGE = Message("school", Action.PAGE, Priority.HIGH, "报警（高）：阳光小学", "1号冷藏柜 · 温度：9.25 °C")


class Receiver:
    """A web hook that keeps what it is sent and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[Any] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append(json.loads(body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on standard error."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), name="receiver")
        self.thread.start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/secret-token"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


def test_a_message_arrives_whole(receiver: Receiver) -> None:
    _, channel = open_channels([receiver.url])
    assert channel.send(MESSAGE) == Answer(True)
    (sent,) = receiver.received
    assert (sent["title"], sent["message"], sent["type"]) == (MESSAGE.title, MESSAGE.body, "failure")


def test_how_grave_it_is_arrives_too(receiver: Receiver) -> None:
    _, channel = open_channels([receiver.url])
    for action, priority in ((Action.PAGE, Priority.LOW), (Action.PAGE, None), (Action.SUMMARY, Priority.URGENT)):
        channel.send(Message("school", action, priority, "t", "b"))
    assert [sent["type"] for sent in receiver.received] == ["warning", "warning", "info"]


def test_a_refusal_is_an_answer_without_the_secret(receiver: Receiver) -> None:
    receiver.status = 503
    _, channel = open_channels([receiver.url])
    answer = channel.send(MESSAGE)
    assert not answer.delivered
    assert "503" in answer.detail
    assert "secret-token" not in answer.detail + channel.name


def test_a_server_that_is_not_there_is_an_answer() -> None:
    server = Receiver()
    url = server.url
    server.close()
    _, channel = open_channels([url])
    answer = channel.send(MESSAGE)
    assert not answer.delivered
    assert answer.detail
    assert len(answer.detail) <= 200


def test_a_plug_in_that_raises_is_an_answer() -> None:
    class Broken:
        def notify(self, *words: object, **more: object) -> bool:
            raise RuntimeError("token=secret")

    answer = AppriseChannel("broken-1", Broken()).send(MESSAGE)
    assert answer == Answer(False, "RuntimeError")


def test_the_log_comes_first_and_needs_nothing() -> None:
    (only,) = open_channels([])
    assert isinstance(only, LogChannel)
    with structlog.testing.capture_logs() as lines:
        assert only.send(MESSAGE) == Answer(True)
    assert [(line["event"], line["title"], line["priority"]) for line in lines] == [("notice", MESSAGE.title, "high")]


def test_a_message_without_a_priority_is_logged_too() -> None:
    with structlog.testing.capture_logs() as lines:
        LogChannel().send(Message("school", Action.SUMMARY, None, "t", "b"))
    assert (lines[0]["priority"], lines[0]["action"]) == (None, "summary")


def test_each_url_is_a_channel_of_its_own_name() -> None:
    channels = open_channels(["json://localhost/a", "json://localhost/b"])
    assert [channel.name for channel in channels] == ["log", "json-1", "json-2"]


@pytest.mark.parametrize("url", ["nonsense://secret", "secret", "", "wecombot://"])
def test_a_url_that_cannot_work_is_refused_by_its_place_and_not_by_its_text(url: str) -> None:
    with pytest.raises(CaretakerError) as caught:
        open_channels(["json://localhost/a", url])
    assert "entry 2" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.remedy
