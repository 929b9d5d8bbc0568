"""A TCP proxy that knows MQTT: it cuts, stalls and resets connections, and loses, repeats and overtakes messages.

It runs in a thread of its own. A message that it loses is acknowledged to its sender, as a broker does that then
forgets it; the second acknowledgement of one that it repeats is kept back.
"""

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

PUBLISH, PUBACK = 3, 4
LINGER_RESET = struct.pack("ii", 1, 0)
HELD_FOR = 0.5  # seconds after which a message that waits to be overtaken goes anyway


@dataclass(frozen=True)
class Mangle:
    """Chances of each fate of a PUBLISH."""

    lose: float = 0.0
    repeat: float = 0.0
    overtake: float = 0.0


@dataclass
class _Way:
    """One direction of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    back: asyncio.StreamWriter
    held: bytes | None = None
    repeated: Counter[int] = field(default_factory=Counter)  # acknowledgements to keep back on the way back


class Proxy:
    """Between one port that it listens on and one that it connects to; both on the loopback address."""

    def __init__(self, target: int, seed: int) -> None:
        self.target, self.port = target, 0
        self.fates: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._mangle = Mangle()
        self._open = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait(10)

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        self._open = False
        self._call(lambda: self._end_all(reset=False))

    def heal(self) -> None:
        """Everything passes again."""
        self._open = True
        self._mangle = Mangle()
        self._call(self._flowing.set)

    def reset(self) -> None:
        """Reset every connection; new ones are taken."""
        self._call(lambda: self._end_all(reset=True))

    def stall(self) -> None:
        """Connections stand, nothing passes."""
        self._call(self._flowing.clear)

    def mangle(self, how: Mangle) -> None:
        self._mangle = how

    def close(self) -> None:
        """End everything, and the thread."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.close()

    async def _shut(self) -> None:
        self._server.close()
        self._end_all(reset=True)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.05)

    def _call(self, work: Callable[[], None]) -> None:
        async def run() -> None:
            work()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def _end_all(self, *, reset: bool) -> None:
        for writer in list(self._connections):
            sock = writer.get_extra_info("socket")
            if reset and sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        try:
            beyond_reader, beyond_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        there = _Way(reader, beyond_writer, writer)
        back = _Way(beyond_reader, writer, beyond_writer)
        pair = {writer, beyond_writer}
        self._connections |= pair
        ways = [self._spawn(self._pump(there, back)), self._spawn(self._pump(back, there))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for one in pair:
                one.transport.abort()
            self._connections -= pair

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _pump(self, way: _Way, other: _Way) -> None:
        reading = asyncio.ensure_future(_packet(way.reader))
        try:
            while True:
                await asyncio.wait({reading}, timeout=HELD_FOR if way.held else None)
                if not reading.done():  # nothing came that could overtake
                    self._let_go(way)
                    continue
                packet, reading = reading.result(), asyncio.ensure_future(_packet(way.reader))
                await self._flowing.wait()
                self._pass(packet, way, other)
                await way.writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def _pass(self, packet: bytes, way: _Way, other: _Way) -> None:
        kind, qos = packet[0] >> 4, packet[0] >> 1 & 3
        if kind == PUBACK:
            mid = int.from_bytes(packet[2:4], "big")
            if other.repeated[mid] > 0:
                other.repeated[mid] -= 1
                return
        fate = self._fate() if kind == PUBLISH else ""
        if fate == "lose":
            if qos:
                way.back.write(bytes([PUBACK << 4, 2]) + _mid(packet))
        elif fate == "repeat":
            way.writer.write(packet + packet)
            if qos:
                way.repeated[int.from_bytes(_mid(packet), "big")] += 1
        elif fate == "overtake" and way.held is None:
            way.held = packet
        else:
            way.writer.write(packet)
            if kind == PUBLISH:
                self._let_go(way)

    def _let_go(self, way: _Way) -> None:
        if way.held is not None:
            way.writer.write(way.held)
            way.held = None

    def _fate(self) -> str:
        how, chance = self._mangle, self._random.random()
        for name in ("lose", "repeat", "overtake"):
            if chance < getattr(how, name):
                self.fates[name] += 1
                return name
            chance -= getattr(how, name)
        return ""


async def _packet(reader: asyncio.StreamReader) -> bytes:
    """One MQTT packet with its header."""
    head = await reader.readexactly(1)
    length, shift = 0, 0
    while True:
        byte = await reader.readexactly(1)
        head += byte
        length |= (byte[0] & 127) << shift
        shift += 7
        if not byte[0] & 128:
            return head + await reader.readexactly(length)


def _mid(packet: bytes) -> bytes:
    """The packet identifier of a PUBLISH with QoS above 0."""
    at = 1
    while packet[at] & 128:
        at += 1
    at += 1
    topic = int.from_bytes(packet[at : at + 2], "big")
    return packet[at + 2 + topic : at + 4 + topic]
