"""The bytes that the load generator writes: MQTT 3.1.1 packets around packs like those of `edge`.

Decides nothing. A message is a template filled with the few numbers that change (packet id, pack number, time), so that
one core can feed a broker faster than any consumer reads. Standard library only: the generator starts quickly.
"""

from dataclasses import dataclass

METRICS = (
    ("temperature", "Cel"),
    ("product_temperature", "Cel"),
    ("humidity", "%RH"),
    ("power", "W"),
    ("current", "A"),
)
WITHIN = (4.25, 4.5, 55.0, 120.0, 0.5)  # a value per metric that no rule minds
BEYOND = (31.5, 31.5, 97.0, 4_000.0, 40.0)  # one that is beyond the limits
NOW_AND_THEN = 101  # messages between two values beyond the limits; prime, so that every point has its turn
_PUBLISH_QOS1 = 0x32


def connect_packet(client: str, keepalive: int = 60) -> bytes:
    """CONNECT with a clean session."""
    name = client.encode()
    body = b"\x00\x04MQTT\x04\x02" + keepalive.to_bytes(2, "big") + len(name).to_bytes(2, "big") + name
    return b"\x10" + length_bytes(len(body)) + body


def length_bytes(length: int) -> bytes:
    """MQTT's remaining length. ValueError when it does not fit in four bytes."""
    if not 0 <= length < 128**4:
        raise ValueError(f"a packet of {length} bytes")
    out = bytearray()
    while True:
        length, digit = divmod(length, 128)
        out.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(out)


def publish_packet(topic: bytes, packet_id: int, payload: bytes) -> bytes:
    """PUBLISH with QoS 1."""
    head = len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big")
    return b"%c%b%b%b" % (_PUBLISH_QOS1, length_bytes(len(head) + len(payload)), head, payload)


def asset_id(number: int) -> str:
    """The id of an asset of the benchmark's site; it has one point for each of METRICS."""
    return f"f{number}"


def agent_id(number: int) -> str:
    """The id of an agent of the benchmark's site."""
    return f"a{number}"


def points_of(first: int, count: int) -> list[tuple[str, str, str]]:
    """(asset, metric, unit) of the points numbered `first` and following."""
    found = []
    for number in range(first, first + count):
        asset, which = divmod(number, len(METRICS))
        found.append((asset_id(asset), *METRICS[which]))
    return found


@dataclass(frozen=True, slots=True)
class Load:
    """The messages of one phase: `readings` points each, the agents in turn, every agent its points in turn.

    `agents` each own `per_agent` points, a multiple of `readings`. Every `hot_every`th message's
    values are beyond the limits (0: none). `boot` names the phase: pack numbers begin at 1.
    """

    site: str
    boot: str
    agents: int
    per_agent: int
    readings: int
    hot_every: int = NOW_AND_THEN

    def message(self, index: int, packet_id: int, time: int, sent: int) -> bytes:
        """Message number `index` (from 0) with readings of `time`, published at `sent` (UTC ms)."""
        turn, agent = divmod(index, self.agents)
        payload = self._payload(agent, turn, index, time, sent)
        topic = b"caretaker/1/%b/agents/a%d/readings/%b/%d" % (self.site.encode(), agent, self.boot.encode(), turn + 1)
        return publish_packet(topic, packet_id, payload)

    def _payload(self, agent: int, turn: int, index: int, time: int, sent: int) -> bytes:
        slot = turn % (self.per_agent // self.readings)
        template, hot = _template(agent * self.per_agent + slot * self.readings, self.readings)
        body = hot if self.hot_every and index % self.hot_every == 0 else template
        seconds, rest = divmod(time, 1000)
        header = b'"bt":%d.%03d,"sent":%d.%03d,"upto":%d.%03d,"low":1' % (
            seconds, rest, *divmod(sent, 1000), seconds, rest
        )  # fmt: skip
        return body[0] + header + body[1 + index % (len(body) - 1)]


_templates: dict[tuple[int, int], tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {}


def _template(first: int, count: int) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """What stands before the header and after it, for normal values and for hot ones; made once per run of points."""
    made = _templates.get((first, count))
    if made is None:
        made = _templates[first, count] = (_records(first, count, WITHIN), _records(first, count, BEYOND))
    return made


def _records(first: int, count: int, values: tuple[float, ...]) -> tuple[bytes, ...]:
    """All records but the header: the first's beginning, and four endings whose values differ a little."""
    points = points_of(first, count)
    endings = []
    for variant in range(4):
        text, prefix = "", points[0][0]
        for number, (asset, metric, unit) in enumerate(points):
            value = values[(first + number) % len(METRICS)] + variant / 8
            base = f'"bn":"{asset}/",' if asset != prefix else ""
            prefix = asset
            text += f'{"," if number == 0 else ",{"}{base}"n":"{metric}","u":"{unit}","v":{value}}}'
        endings.append((text + "]").encode())
    return (f'[{{"bn":"{points[0][0]}/",'.encode(), *endings)
