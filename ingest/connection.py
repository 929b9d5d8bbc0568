"""One connection to a broker: a socket with buffers on both sides, kept alive, with TLS or without.

Decides when the connection is dead, and says so with `LostError`. Reads as much as there is in one call and sends what
has gathered in one call: system calls, not parsing, are what a busy subscriber pays for. Not safe between threads.
"""

import socket
import ssl
import time
from collections.abc import Callable

from domain.times import SECOND
from ingest.packets import DISCONNECT, PINGREQ, Packet, ProtocolError, Published, Reader, connect
from ingest.settings import BrokerAddress
from ingest.tls import context_of

CONNECT_SECONDS = 5.0
READ_BYTES = 256 * 1024


class LostError(Exception):
    """The connection is dead; the text says why."""


class Connection:
    """An open connection whose CONNECT is on its way; `close` it in any case. LostError when it cannot be opened."""

    def __init__(
        self, address: BrokerAddress, client_id: str, keepalive: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`keepalive` in ms."""
        self._socket = _open(address)
        self._reader = Reader()
        self._out = bytearray()
        self.drained = True  # whether every complete packet that was read has been taken
        self._clock = clock
        self._keepalive = keepalive / SECOND
        self._sent_at = self._heard_at = clock()
        self._ping_at: float | None = None
        self.send(connect(client_id, keepalive // SECOND, address.user, address.password))

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._out)

    @property
    def unread(self) -> bool:
        """Whether decrypted bytes wait inside the socket, where select does not see them."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def send(self, data: bytes) -> None:
        """Queue the bytes; `flush` sends them."""
        self._out += data

    def flush(self) -> None:
        """Send what the socket takes now. LostError."""
        if not self._out:
            return
        try:
            sent = self._socket.send(self._out)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            raise LostError(f"sending failed: {error}") from error
        del self._out[:sent]
        self._sent_at = self._clock()

    def receive(self) -> None:
        """Read what has arrived, at most `READ_BYTES`. LostError."""
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            raise LostError(f"reading failed: {error}") from error
        if not data:
            raise LostError("the broker closed the connection")
        self._heard_at, self._ping_at, self.drained = self._clock(), None, False
        self._reader.feed(data)

    def next(self) -> Packet | None:
        """The next packet that has arrived, or None. LostError when the bytes are no MQTT."""
        try:
            packet = self._reader.next()
            self.drained = packet is None
            return packet
        except ProtocolError as error:
            raise LostError(f"the broker does not speak MQTT 3.1.1: {error}") from error

    def publishes(self, most: int) -> list[Published]:
        """At most `most` messages that have arrived, up to the first packet that `next` must look at. LostError."""
        try:
            return self._reader.publishes(most)
        except ProtocolError as error:
            raise LostError(f"the broker does not speak MQTT 3.1.1: {error}") from error

    def keep_alive(self, *, reading: bool) -> None:
        """Ping when nothing was said for a while. LostError when the broker does not answer; while nothing is being
        read (`reading` is False) that is not its fault."""
        now = self._clock()
        if self._ping_at is not None:
            if not reading:
                self._ping_at = now
            elif now - self._ping_at >= self._keepalive:
                raise LostError("the broker does not answer a ping")
        if now - self._sent_at >= self._keepalive or (
            self._ping_at is None and now - self._heard_at >= self._keepalive
        ):
            self.send(PINGREQ)
            self._ping_at = self._ping_at or now
            self._sent_at = now

    def leave(self) -> None:
        """Say good-bye."""
        self.send(DISCONNECT)
        self.flush()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _open(address: BrokerAddress) -> socket.socket:
    context = context_of(address)
    plain: socket.socket | None = None
    try:
        plain = socket.create_connection((address.host, address.port), CONNECT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened = plain if context is None else context.wrap_socket(plain, server_hostname=address.host)
        opened.setblocking(False)
    except (OSError, ValueError) as error:
        if plain is not None:
            plain.close()
        raise LostError(str(error) or type(error).__name__) from error
    return opened
