"""Serving the application: uvicorn, quiet, and ending within two seconds of SIGTERM even while pages listen.

`caretaker` runs `serve` in a process of its own; tests run a `Server` in a thread.
"""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn
from fastapi import FastAPI

from domain.errors import CaretakerError

GRACE_SECONDS = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Server(uvicorn.Server):
    """A uvicorn server that ends the event streams first, and returns instead of raising the signal again."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=GRACE_SECONDS,
            # A proxy in front is trusted with the scheme and the client's address only on this machine.
            forwarded_allow_ips="127.0.0.1",
        )
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second signal does not wait for anybody."""
        self._app.state.feed.stop()
        super().handle_exit(sig, frame)

    def stop(self) -> None:
        """Stop soon; may be called from another thread."""
        self._app.state.feed.stop()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while serving, and put back what was there before."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT. CaretakerError when the address cannot be listened on."""
    listener = listen(host, port)
    try:
        Server(app, host, port).run(sockets=[listener])
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. CaretakerError says what to change when it is taken."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise CaretakerError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            "end what uses the port, or set another one: web.port (CARETAKER_WEB__PORT)",
        ) from None
    listener.listen(128)
    return listener
