"""Serving for real, on a socket: it ends within two seconds of SIGTERM even while somebody listens."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.server import Server, listen
from domain.errors import CaretakerError

ROOT = Path(__file__).parents[3]

PROGRAM = """
    import sys
    from types import SimpleNamespace
    from api.server import Server, listen
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse
    import asyncio

    app = FastAPI()
    stopping = asyncio.Event()
    app.state.feed = SimpleNamespace(stop=lambda: None)

    @app.get("/stream")
    async def stream():
        async def endless():
            yield b"data: 1\\n\\n"
            await stopping.wait()
        return StreamingResponse(endless())

    listener = listen("127.0.0.1", 0)
    print(listener.getsockname()[1], flush=True)
    Server(app, "127.0.0.1", 0).run(sockets=[listener])
    print("ended", flush=True)
"""


def test_a_stream_that_never_ends_does_not_keep_the_process_alive() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with httpx.stream("GET", f"http://127.0.0.1:{port}/stream", timeout=20) as answer:
            assert next(answer.iter_bytes()) == b"data: 1\n\n"
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
            took = time.monotonic() - asked
        assert process.stdout.read() == "ended\n"
    assert took < 3  # two seconds are promised; a busy test machine may be late


def test_event_streams_end_at_once_when_the_server_stops(bench: Any) -> None:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = Server(bench.app, "127.0.0.1", port)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
    thread.start()
    try:
        with httpx.stream("GET", f"http://127.0.0.1:{port}/api/v1/sites/school/events", timeout=20) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines) == "retry: 3000"
            server.stop()
            assert all(not line.startswith("event: transition") for line in lines)  # it ends
    finally:
        server.stop()
        thread.join(10)
        listener.close()
    assert not thread.is_alive()


def test_an_address_in_use_is_said_with_the_setting_to_change() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CaretakerError) as refused:
            listen("127.0.0.1", taken.getsockname()[1])
    assert "cannot listen on 127.0.0.1" in str(refused.value)
    assert "web.port" in str(refused.value)


def test_an_address_that_is_not_of_this_machine_is_refused() -> None:
    with pytest.raises(CaretakerError, match="cannot listen"):
        listen("192.0.2.1", 0)
