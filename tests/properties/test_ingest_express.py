"""The quick way is the same way: whatever is sent, with it and without it the same is journalled, settled and answered.

Stories of packs of several agents and boots, in turn and out of turn, plain and hostile, through the acceptor alone and
through the quick way with the acceptor behind it; and single packs through the plain reader and the full decoder.
"""

from collections import deque
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from domain.batch import encode_batch
from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.records import Position
from ingest.accept import Acceptor, Limits
from ingest.batcher import Batcher, Sealed
from ingest.clocks import ClockNote
from ingest.inbox import Inbound
from tests.unit.ingest.fake_ledger import SITE_YAML
from tests.unit.ingest.ingest_fakes import NOW, SITE, raw
from wire.decode import DecodedPack, decode_pack
from wire.plain import PlainReader, Rows
from wire.senml import Record
from wire.topics import readings_topic, unsequenced_topic

CATALOGUES = (
    load_catalogue(SITE_YAML, "site.yaml"),
    load_catalogue(SITE_YAML.replace("agent: cellar", "agent: a").replace("      door: {}\n", ""), "site.yaml"),
)
SECONDS = NOW / 1000
NAMES = ("fridge-1/temperature", "freezer-1/temperature", "fridge-1/door", "other-1/power")

STRANGE: list[dict[str, Any]] = [  # members that replace or join those of a plain record
    *({"bn": "", "n": name} for name in NAMES), {"n": ""}, {"bn": ""}, {"bn": "Bad/"},
    *({"v": value} for value in (4, -0.0, 1e18, 1.1e18, -1e300, "4", None, True)),
    *({"t": value} for value in (-3.5, 0.0004, 299.0, 301.0, 5000.0, 1e300, -2e9, "x")),
    *({"bt": value} for value in (0.0, 1e10, SECONDS + 0.9996, "x")),
    *({"u": value} for value in ("Cel", "degF", "K", "%RH", "furlong")), {"bu": "K"}, {"bv": 2.0}, {"bver": 10},
    {"bver": 11}, {"q": "good"}, {"q": "bad"}, {"q": "best"}, {"vs": "off"}, {"vs": ""}, {"vb": True}, {"new": 1},
    {"new_": 1}, {"s": 1.0}, {"gap": {"from": SECONDS, "to": SECONDS, "count": 1, "reason": "outbox_full"}},
    *({"sent": value} for value in (12.0, "x", SECONDS + 70, SECONDS - 400)),
    *({"upto": value} for value in (12.0, "x", SECONDS + 299, SECONDS + 301, SECONDS - 5)),
    *({"low": value} for value in (3, 0, -1, 2**63, "x")),
]  # fmt: skip


def seldom(one_in: int) -> st.SearchStrategy[bool]:
    return st.integers(1, one_in).map(lambda drawn: drawn == one_in)


@st.composite
def records(draw: st.DrawFn, agent: str, first: bool) -> dict[str, Any]:
    """A record of a plain pack; one in five has something strange about it."""
    made: dict[str, Any] = {"n": "temperature", "v": 4.5, "t": draw(st.sampled_from([0.0, 1.0]))}
    if first:
        asset = "fridge-1/" if agent == "a" else "freezer-1/"
        made |= {"bn": asset, "bt": SECONDS, "upto": SECONDS + draw(st.integers(0, 2)), "low": 1}
        made["sent"] = SECONDS + draw(st.sampled_from([0, 0, 1, 200]))
    if draw(seldom(5)):
        made |= draw(st.sampled_from(STRANGE))
    if draw(seldom(20)):
        made.pop(draw(st.sampled_from(["n", "v", "t", "bn", "bt", "sent", "upto", "low"])), None)
    return made


@st.composite
def payloads(draw: st.DrawFn, agent: str = "a") -> bytes:
    """Mostly packs; now and then something else."""
    count = draw(st.sampled_from([1, 1, 1, 1, 1, 2, 3, 0]))
    made = msgspec.json.encode([draw(records(agent, first=number == 0)) for number in range(count)])
    match draw(st.integers(0, 20)):
        case 0:
            return made[:-1]
        case 1:
            return made.replace(b'"n":"', b'"n":"\xff')
        case 2:
            return draw(st.binary(max_size=20))
        case _:
            return made


@st.composite
def messages(draw: st.DrawFn) -> Inbound:
    agent = draw(st.sampled_from(["a", "a", "a", "cellar", "b"]))
    boot = "b2" if draw(seldom(8)) else "b1"
    seq = draw(st.sampled_from([1, -1, 5])) if draw(seldom(8)) else 0  # beside the next one, see `numbered`
    payload = draw(payloads(agent))
    made = raw(readings_topic(SITE, agent, boot, 10 + seq), payload)
    match draw(st.integers(0, 25)):
        case 0:
            return raw(unsequenced_topic(SITE, agent), payload)
        case 1:
            return raw("caretaker/1/school/agents/a/readings/b1/x", payload)
        case 2:
            return msgspec.structs.replace(made, size=300_000)
        case 3:
            return msgspec.structs.replace(made, letter=3, first_received=NOW - 1000)
        case 4 | 5:
            return msgspec.structs.replace(made, retained=True)
        case _:
            return made


def numbered(drawn: list[Inbound]) -> list[Inbound]:
    """The messages with the numbers that their agents would give them, but for those that are to be out of turn."""
    reached: dict[tuple[str, str], int] = {}
    found = []
    for message in drawn:
        topic = message.topic
        if not hasattr(topic, "seq") or not topic.seq:
            found.append(message)
            continue
        seq = max(1, reached.get((topic.agent, topic.boot), 0) + 1 + topic.seq - 10)
        reached[topic.agent, topic.boot] = max(seq, reached.get((topic.agent, topic.boot), 0))
        text = readings_topic(SITE, topic.agent, topic.boot, seq)
        found.append(msgspec.structs.replace(message, text=text, topic=msgspec.structs.replace(topic, seq=seq)))
    return found


class Way:
    """One acceptor with its batcher; `quick` says whether it goes the quick way first."""

    def __init__(self, quick: bool, catalogue: Catalogue) -> None:
        owners = {"fridge-1/temperature": "a", "freezer-1/temperature": "cellar"}
        known = {agent: Position(agent, "b1", 0) for agent in ("a", "cellar")}
        self.acceptor = Acceptor(SITE, known, owners, (), replace(Limits(), agents_per_hour=1, unknown_points=1))
        self.acceptor.configure(catalogue.by_name)
        self.batcher = Batcher(SITE, 1_000, 1_000)
        self.quick, self.went, self.notes = quick, 0, list[ClockNote]()

    def take(self, taken: list[Inbound], now: int) -> None:
        waiting = deque(taken)
        while waiting:
            if self.quick:
                before = len(waiting)
                self.batcher.take(self.acceptor.express, waiting, now)
                self.went += before - len(waiting)
            if waiting:
                message = waiting.popleft()
                accept = self.acceptor.replay if message.letter else self.acceptor.accept
                self.batcher.add(message, accept(message, now), now)

    def seal(self, now: int) -> tuple[bytes | None, Sealed, object]:
        """Everything that can be seen of it."""
        sent = list(self.batcher.messages)
        sealed = self.batcher.seal(now)
        blob = None if sealed.batch is None else encode_batch(sealed.batch)
        state = (sent, self.acceptor.clocks.wrong(), self.acceptor._reached, self.acceptor._positions._boots)
        return blob, replace(sealed, batch=None), repr(state)


def plain(agent: str, seq: int, strange: dict[str, Any], record: int) -> Inbound:
    """A pack of two records, one of them with something strange."""
    base = {"bn": "fridge-1/" if agent == "a" else "freezer-1/", "bt": SECONDS, "sent": SECONDS, "upto": SECONDS}
    made: list[dict[str, Any]] = [base | {"n": "temperature", "v": 4.5, "low": 1}, {"n": "temperature", "v": 5, "t": 1}]
    made[record] |= strange
    return raw(readings_topic(SITE, agent, "b1", seq), msgspec.json.encode(made))


def test_nothing_strange_is_taken_otherwise_the_quick_way() -> None:
    for strange in STRANGE:
        for agent, record in (("a", 0), ("a", 1), ("cellar", 0), ("cellar", 1)):
            taken = [plain(agent, 1, {}, 0), plain(agent, 2, strange, record), plain(agent, 3, {}, 0)]
            seals = []
            for quick in (True, False):
                way = Way(quick, CATALOGUES[0])
                way.take(taken, NOW)
                seals.append(way.seal(NOW))
            assert seals[0] == seals[1], f"{strange} in record {record} of {agent}"


@given(st.lists(st.lists(messages(), max_size=8).map(numbered), max_size=4), st.integers(0, 3))
def test_with_the_quick_way_everything_comes_out_as_without_it(story: list[list[Inbound]], change: int) -> None:
    ways = Way(True, CATALOGUES[0]), Way(False, CATALOGUES[0])
    for number, taken in enumerate(story):
        now = NOW + 40_000 * number
        for way in ways:
            if number == change:
                way.acceptor.configure(CATALOGUES[1].by_name)
            way.take(taken, now)
        quick, slow = (way.seal(now) for way in ways)
        assert quick == slow


@given(payloads())
@example(b'[{"n":"fridge-1/temperature","v":4.5,"t":1772000000}]')
def test_the_plain_reader_takes_nothing_that_the_decoder_would_take_otherwise(payload: bytes) -> None:
    points, owners = CATALOGUES[0].by_name, dict.fromkeys(NAMES, "a")
    rows, reader = Rows(), PlainReader(CATALOGUES[0].by_name, "a", owners)
    rows.add(("fridge-1/door",), (0,), (NOW,), (1.0,))
    for _ in range(2):  # the second time it knows the names
        before = len(rows)
        said = reader.read(payload, rows)
        full = decode_pack(payload, site=SITE, received=NOW, points=points, sequenced=True)
        if said is None:
            assert len(rows) == before
            continue
        assert isinstance(full, DecodedPack)
        names = list(rows.names)
        assert [names[index] for index in rows.point[before:]] == [full.names[index] for index in full.point]
        assert (rows.time[before:], repr(rows.value[before:])) == (full.time.tolist(), repr(full.value.tolist()))
        assert (said.sent, said.upto, said.newest) == (full.sent, full.upto or 0, full.newest)
        assert (full.texts, full.gaps, full.rejected, set(full.quality.tolist())) == ({}, (), (), {0})
        assert set(full.names) <= set(points)


def test_plain_packs_in_their_turn_go_the_quick_way_and_no_other_does() -> None:
    def pack(seq: int, *made: Record) -> Inbound:
        return raw(readings_topic(SITE, "a", "b1", seq), msgspec.json.encode(list(made)))

    good = Record(n="fridge-1/temperature", v=4.5, t=SECONDS, sent=SECONDS, upto=SECONDS, low=1)
    way = Way(True, CATALOGUES[0])
    way.take([pack(1, good), pack(2, good, Record(n="fridge-1/temperature", v=40.1, u="degF", t=SECONDS))], NOW)
    assert way.went == 2
    for other in (Record(n="other-1/power", v=1.0, t=SECONDS), Record(n="fridge-1/temperature", v=1.0, q="bad")):
        way.take([pack(3, other)], NOW)
    way.take([pack(4, Record(n="freezer-1/temperature", v=1.0, t=SECONDS)), pack(2, good)], NOW)
    assert way.went == 2
    batch = way.batcher.seal(NOW).batch
    assert batch is not None
    assert [round(value, 3) for value in batch.value[:3].tolist()] == [4.5, 4.5, 4.5]
