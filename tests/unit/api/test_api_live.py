"""The event stream: what changes is sent once, nothing is missed after a pause, and everything is bounded."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from api.knowledge import Knowledge
from api.live import Feed, event, resume_id
from api.problems import ProblemError
from api.settings import ApiSettings
from domain.errors import NotFoundError
from domain.times import SECOND

SETTINGS = ApiSettings(stream_poll=1, stream_heartbeat=10 * SECOND, max_streams=2)


class Listener:
    """A listener that reads one event after the other."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.waiting: list[dict[str, Any]] = []

    async def next(self) -> dict[str, Any]:
        while not self.waiting:
            block = (await asyncio.wait_for(anext(self.stream), 10)).decode()
            for one in block.strip().split("\n\n"):
                fields = dict(line.split(": ", 1) for line in one.splitlines())
                if "event" in fields:
                    self.waiting.append({**fields, "data": json.loads(fields["data"])})
        return self.waiting.pop(0)

    async def until(self, name: str) -> dict[str, Any]:
        while (found := await self.next())["event"] != name:
            pass
        return found


def story(bench: Any, steps: Callable[[Feed], Awaitable[None]], settings: ApiSettings = SETTINGS) -> None:
    """Play the steps against a feed over the bench's stores."""

    async def play() -> None:
        feed = Feed(bench.console, Knowledge(bench.console), lambda: bench.clock[0], settings)
        await steps(feed)

    asyncio.run(play())


def test_a_listener_is_greeted_and_then_told_what_happens(bench: Any) -> None:
    bench.raise_alarm()

    async def steps(feed: Feed) -> None:
        listener = Listener(await feed.listen("school", None))
        hello = await listener.next()
        assert hello["event"] == "hello"
        assert hello["data"]["last_id"] == 1
        bench.clear_alarm()
        told = await listener.next()
        assert (told["event"], told["id"]) == ("transition", "2")
        assert told["data"]["target"] == "returned-unacknowledged"
        await listener.stream.aclose()

    story(bench, steps)


def test_what_was_before_is_not_told_again(bench: Any) -> None:
    bench.raise_alarm()
    bench.all_measured()

    async def steps(feed: Feed) -> None:
        listener = Listener(await feed.listen("school", None))
        assert (await listener.next())["event"] == "hello"
        bench.measured("fridge-1/temperature", 5.5)
        told = await listener.next()
        assert told["event"] == "latest"
        assert [(item["point"], item["value"]) for item in told["data"]["items"]] == [("fridge-1/temperature", 5.5)]
        await listener.stream.aclose()

    story(bench, steps)


def test_whoever_comes_back_misses_no_transition(bench: Any) -> None:
    for number in range(3):
        bench.raise_alarm("cold-high", f"fridge-{number}/temperature")

    async def steps(feed: Feed) -> None:
        listener = Listener(await feed.listen("school", 1))
        assert (await listener.next())["data"]["last_id"] == 1
        assert [(await listener.until("transition"))["id"] for _ in range(2)] == ["2", "3"]
        await listener.stream.aclose()

    story(bench, steps)


def test_an_id_of_a_log_that_was_replaced_by_a_backup_is_not_waited_for(bench: Any) -> None:
    async def steps(feed: Feed) -> None:
        listener = Listener(await feed.listen("school", 900))
        assert (await listener.next())["data"]["last_id"] == 0
        bench.raise_alarm()
        assert (await listener.until("transition"))["id"] == "1"
        await listener.stream.aclose()

    story(bench, steps)


def test_a_new_revision_is_told(bench: Any) -> None:
    async def steps(feed: Feed) -> None:
        listener = Listener(await feed.listen("school", None))
        await listener.next()
        bench.console.apply_rules("school", [("rules.yaml", "rules: []\n")], "setup", bench.now)
        assert (await listener.until("configuration"))["data"] == {"catalogue_revision": 1, "rules_revision": 2}
        await listener.stream.aclose()

    story(bench, steps)


def test_silence_is_broken_by_a_beat(bench: Any) -> None:
    async def steps(feed: Feed) -> None:
        listener = Listener(await feed.listen("school", None))
        await listener.next()
        bench.clock[0] += 10 * SECOND
        assert (await listener.next())["event"] == "beat"
        await listener.stream.aclose()

    story(bench, steps)


def test_stopping_ends_every_stream(bench: Any) -> None:
    async def steps(feed: Feed) -> None:
        listeners = [Listener(await feed.listen("school", None)) for _ in range(2)]
        for listener in listeners:
            await listener.next()
        assert feed.listeners == 2
        feed.stop()
        for listener in listeners:
            with pytest.raises(StopAsyncIteration):
                await listener.until("never")
        assert feed.listeners == 0

    story(bench, steps)


def test_more_listeners_than_the_server_serves_are_refused(bench: Any) -> None:
    async def steps(feed: Feed) -> None:
        listeners = [Listener(await feed.listen("school", None)) for _ in range(2)]
        for listener in listeners:
            await listener.next()
        with pytest.raises(ProblemError) as refused:
            await feed.listen("school", None)
        assert refused.value.status == 503
        assert "retry-after" in refused.value.headers
        await listeners[0].stream.aclose()
        again = Listener(await feed.listen("school", None))
        assert (await again.next())["event"] == "hello"
        for listener in (listeners[1], again):
            await listener.stream.aclose()

    story(bench, steps)


def test_an_unknown_site_is_refused_before_the_stream_begins(bench: Any) -> None:
    async def steps(feed: Feed) -> None:
        with pytest.raises(NotFoundError):
            await feed.listen("nowhere", None)

    story(bench, steps)


def test_many_listeners_share_one_look_at_the_store(bench: Any) -> None:
    async def steps(feed: Feed) -> None:
        listeners = [Listener(await feed.listen("school", None)) for _ in range(20)]
        for listener in listeners:
            await listener.next()
        assert bench.console.polls == 1
        for listener in listeners:
            await listener.stream.aclose()

    story(bench, steps, replace(SETTINGS, stream_poll=60 * SECOND, max_streams=20))


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("", None), ("17", 17), ("0", 0), ("-1", None), ("x", None), ("١٢", None), ("9" * 19, None)],
)
def test_only_an_id_of_ours_is_resumed_from(header: str | None, expected: int | None) -> None:
    assert resume_id(header) == expected


def test_an_event_is_one_line_of_json_and_only_transitions_have_ids() -> None:
    assert event("beat", {"a": "一\n二"}) == 'event: beat\ndata: {"a":"一\\n二"}\n\n'.encode()
    assert event("transition", {}, 5).startswith(b"id: 5\nevent: transition\n")
