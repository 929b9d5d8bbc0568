"""The load generator, a process of its own: messages over one raw MQTT connection, at a steady rate or at full speed.

Decides when each message leaves: number k at `start` + k / rate, never earlier. It reads the broker's PUBACKs and keeps
at most MOST_UNACKED messages unconfirmed; when the broker is slower than that the rate is not reached, which shows as
lag. Reads its orders as JSON from the argument; says `done` with what it sent. Standard library and msgspec only.
"""

import select
import socket
import sys
import time

import msgspec

from caretaker.bench.packets import Load, connect_packet

MOST_UNACKED = 20_000
TICK = 0.005
AT_ONCE = 500  # messages per write at full speed
_PUBACK = 4  # bytes
_CONNACK = 4


class Orders(msgspec.Struct, frozen=True):
    """What one generator does. `rate` 0 = as fast as possible. `start`: wall clock in seconds.

    `time_step` 0 stamps readings with the time of sending; else the messages of one turn of all agents carry the time
    `first_time` + turn · `time_step` (UTC ms): readings from a past, sent now. `first`: how many
    messages of the load were sent before; the agents go on from there.
    """

    port: int
    load: Load
    count: int
    rate: float
    start: float
    first_time: int = 0
    time_step: int = 0
    first: int = 0


class Generator:
    """One connection to the broker on the loopback address."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._socket = socket.create_connection(("127.0.0.1", orders.port), 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(connect_packet(f"bench-{orders.load.boot}"))
        if self._receive(_CONNACK) != b"\x20\x02\x00\x00":
            raise ConnectionError("the broker refused the load generator")
        self._socket.setblocking(False)
        self._acked_bytes = 0
        self.sent = 0

    def run(self) -> None:
        """Send everything, wait until the broker confirmed it."""
        orders = self._orders
        time.sleep(max(0.0, orders.start - time.time()))
        while self.sent < orders.count:
            due = orders.count
            if orders.rate:
                due = min(due, int((time.time() - orders.start) * orders.rate) + 1)
            number = min(due - self.sent, AT_ONCE, MOST_UNACKED - self.unacked)
            if number <= 0:
                self._read(TICK)
                continue
            self._write(self._messages(number))
            self._read(0.0)
        until = time.time() + 60
        while self.unacked > 0 and time.time() < until:
            self._read(0.1)

    def close(self) -> None:
        """DISCONNECT and close."""
        self._socket.setblocking(True)
        self._socket.sendall(b"\xe0\x00")
        self._socket.close()

    @property
    def unacked(self) -> int:
        """Messages that the broker has not confirmed."""
        return self.sent - self._acked_bytes // _PUBACK

    def _messages(self, number: int) -> bytes:
        orders, load = self._orders, self._orders.load
        now = time.time_ns() // 1_000_000
        made = []
        begin = orders.first + self.sent
        for index in range(begin, begin + number):
            moment = orders.first_time + index // load.agents * orders.time_step if orders.time_step else now
            made.append(load.message(index, index % 65_535 + 1, moment, now))
        self.sent += number
        return b"".join(made)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                # The broker may wait for its PUBACKs to be read before it reads on.
                readable, _, _ = select.select([self._socket], [self._socket], [], 1.0)
                if readable:
                    self._read(0.0)

    def _read(self, seconds: float) -> None:
        """Count PUBACKs: nothing else comes on this connection."""
        readable, _, _ = select.select([self._socket], [], [], seconds)
        if readable:
            received = self._socket.recv(65_536)
            if not received:
                raise ConnectionError("the broker closed the load generator's connection")
            self._acked_bytes += len(received)

    def _receive(self, count: int) -> bytes:
        received = b""
        while len(received) < count:
            part = self._socket.recv(count - len(received))
            if not part:
                break
            received += part
        return received


def main() -> None:
    """Carry out the orders in the first argument."""
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    generator = Generator(orders)
    generator.run()
    generator.close()
    print(f"done {generator.sent}", flush=True)


if __name__ == "__main__":
    main()
