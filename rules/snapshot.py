"""The engine's whole state as bytes, and back: restore and go on equals never having stopped, exactly.

MessagePack with a version; columns are little-endian bytes. It carries the resolved plans, so a restored engine needs
no configuration to go on; configuring it with what was in force changes nothing.
"""

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from domain.batch import Int64s
from rules.condition import Condition, LevelState, Phase, as_stored
from rules.derived import Derived
from rules.doubts import Apart, Doubts
from rules.frontier import Agent
from rules.joint import Joint, Joints
from rules.late import Said
from rules.plan import NEVER, Plan
from rules.points import PointTable, Track
from rules.recent import Columns, Recent, Rings
from rules.revisit import Counters
from rules.silence import Silence

if TYPE_CHECKING:
    from rules.engine import Engine

_FORMAT = 5


class _Rows(msgspec.Struct, array_like=True):
    point: bytes
    time: bytes
    value: bytes
    quality: bytes


class _Agent(msgspec.Struct, array_like=True):
    name: str
    frontier: int
    promised: bool
    waiting: _Rows


class _Track(msgspec.Struct, array_like=True):
    plan: int
    levels: list[tuple[int, int, int, int]]
    edge: int
    value: float | None
    code: int
    level: int
    due: int
    said: list[Said]
    last: int
    floor: int
    signal: list[Any] | None


class _Points(msgspec.Struct, array_like=True):
    """All points in columns; `kept` is how many of the recent readings are each point's."""

    names: list[str]
    owner: bytes
    floor: bytes
    last_time: bytes
    last_value: bytes
    capacity: bytes
    complete: bytes
    kept: bytes
    time: bytes
    value: bytes
    quality: bytes
    tracks: list[list[int | _Track]]  # only the plan's number for one that was never moved


class _Silence(msgspec.Struct, array_like=True):
    now: int | None
    connected: bool
    counted: int
    watched: list[tuple[str, int]]
    levels: list[int]
    due: bytes
    heard: bytes
    active: bytes


class _Joint(msgspec.Struct, array_like=True):
    point: int
    place: int
    frontier: int
    waiting: _Rows
    doubt: int = NEVER  # older snapshots have none


class _Apart(msgspec.Struct, array_like=True):
    point: int
    rows: _Rows
    received: int
    since: int
    edge: int


class _Doubts(msgspec.Struct, array_like=True):
    oldest: list[tuple[int, int]] = []
    apart: list[_Apart] = []


class _State(msgspec.Struct, array_like=True):
    version: int
    site: str
    has_catalogue: bool
    commissioned_at: int | None
    plans: list[Plan]
    open: list[tuple[str, str, int]]
    agents: list[_Agent]
    points: _Points
    silence: _Silence
    counters: Counters
    joints: list[_Joint]
    doubts: _Doubts = msgspec.field(default_factory=_Doubts)  # older snapshots have none


class _Version(msgspec.Struct, array_like=True):
    version: int


class _Plans:
    """Each plan once, by number. The plans of a site are few objects, and comparing them costs more than writing."""

    def __init__(self) -> None:
        self.numbers: dict[Plan, int] = {}
        self._of_object: dict[int, int] = {}

    def number(self, plan: Plan) -> int:
        number = self._of_object.get(id(plan))
        if number is None:
            number = self._of_object[id(plan)] = self.numbers.setdefault(plan, len(self.numbers))
        return number


def encode(engine: "Engine") -> bytes:
    """The state of the engine, between two calls of it."""
    plans = _Plans()
    table, silence = engine.table, engine.silence
    state = _State(
        _FORMAT,
        engine.site,
        engine.has_catalogue,
        engine.commissioned_at,
        [],
        [(point, metric, plans.number(plan)) for point, metric, plan in engine.open],
        [_Agent(name, one.frontier, one.promised, _rows(one.waiting)) for name, one in engine.agents.items()],
        _points(table, plans),
        _silence(silence, plans),
        engine.counters,
        [_joint(one) for one in engine.joints.all],
        _doubts(engine.doubts),
    )
    state.plans = list(plans.numbers)
    return msgspec.msgpack.encode(state)


def decode_into(engine: "Engine", blob: bytes) -> None:
    """Make the engine what it was. ValueError for bytes of another format or another site; then nothing was changed."""
    try:
        version = msgspec.msgpack.decode(blob, type=_Version).version
        if version != _FORMAT:
            raise ValueError(f"engine snapshot of format {version}; this program reads {_FORMAT}")
        state = msgspec.msgpack.decode(blob, type=_State)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not an engine snapshot: {error}") from error
    if state.site != engine.site:
        raise ValueError(f"snapshot of site {state.site!r}, not of {engine.site!r}")
    engine.has_catalogue, engine.commissioned_at = state.has_catalogue, state.commissioned_at
    engine.open = [(point, metric, state.plans[number]) for point, metric, number in state.open]
    engine.counters = state.counters
    engine.silence = _restored_silence(state.silence, state.plans)
    engine.table = PointTable(engine.prefilter)
    _restore_points(engine.table, state.points, state.plans)
    engine.doubts = _restored_doubts(state.doubts)
    engine.agents, engine.agents_by_number = {}, []
    for number, one in enumerate(state.agents):
        agent = Agent(number)
        agent.frontier, agent.promised, agent.waiting = one.frontier, one.promised, _columns(one.waiting)
        engine.agents[one.name] = agent
        engine.agents_by_number.append(agent)
    engine.joints = _restored_joints(engine, state.joints)
    engine.requeue()


def _rows(rows: Columns) -> _Rows:
    return _Rows(
        rows.point.astype("<i8").tobytes(),
        rows.time.astype("<i8").tobytes(),
        rows.value.astype("<f8").tobytes(),
        rows.quality.tobytes(),
    )


def _columns(rows: _Rows) -> Columns:
    return Columns(
        np.frombuffer(rows.point, "<i8").astype(np.int64),
        np.frombuffer(rows.time, "<i8").astype(np.int64),
        np.frombuffer(rows.value, "<f8").astype(np.float64),
        np.frombuffer(rows.quality, np.uint8).copy(),
    )


def _number(value: float) -> float | None:
    return None if value != value else value


def _points(table: PointTable, plans: _Plans) -> _Points:
    count = len(table.names)
    recent = table.recent.all_of(count)
    return _Points(
        table.names,
        _int64s(table.owner[:count]),
        _int64s(table.floor[:count]),
        _int64s(table.last_time[:count]),
        table.last_value[:count].astype("<f8").tobytes(),
        _int64s(recent.capacity),
        recent.complete.tobytes(),
        _int64s(recent.kept),
        _int64s(recent.time),
        recent.value.astype("<f8").tobytes(),
        recent.quality.tobytes(),
        [[_track(track, plans) for track in tracks] for tracks in table.tracks],
    )


def _int64s(column: Int64s) -> bytes:
    return column.astype("<i8").tobytes()


def _of_int64s(blob: bytes) -> Int64s:
    return np.frombuffer(blob, "<i8").astype(np.int64)


_SETTLED = (Phase.IDLE, Phase.ACTIVE)


def _track(track: Track, plans: _Plans) -> int | _Track:
    condition, log = track.condition, track.log
    plan = plans.number(condition.plan)
    if type(condition) is Condition and condition.idle and log.last == log.floor == -NEVER and not log.said:
        return plan
    # Without a delay that is running what it last read does not matter; which that was depends on when it was heard.
    plain = not isinstance(condition, Derived) and all(state.phase in _SETTLED for state in condition.levels)
    idle = condition.idle or plain
    return _Track(
        plan,
        [as_stored(state) for state in condition.levels],
        -NEVER if idle else condition.edge,
        None if idle else _number(condition.value),
        0 if idle else condition.code,
        condition.level,
        condition.due,
        track.log.said,
        track.log.last,
        track.log.floor,
        condition.state() if isinstance(condition, Derived) else None,
    )


def _restore_points(table: PointTable, stored: _Points, plans: list[Plan]) -> None:
    count = len(stored.names)
    for name in stored.names:
        table.add(name)
    table.owner[:count], table.floor[:count] = _of_int64s(stored.owner), _of_int64s(stored.floor)
    table.last_time[:count] = _of_int64s(stored.last_time)
    table.last_value[:count] = np.frombuffer(stored.last_value, "<f8")
    table.recent = Recent.of(
        Rings(
            _of_int64s(stored.capacity),
            np.frombuffer(stored.complete, np.bool_),
            _of_int64s(stored.kept),
            _of_int64s(stored.time),
            np.frombuffer(stored.value, "<f8").astype(np.float64),
            np.frombuffer(stored.quality, np.uint8),
        )
    )
    for point, tracks in enumerate(stored.tracks):
        for place, one in enumerate(tracks):
            track = Track(plans[one if isinstance(one, int) else one.plan], point, place)
            if not isinstance(one, int):
                _restore_condition(track.condition, one)
                track.log.said, track.log.last, track.log.floor = one.said, one.last, one.floor
            table.tracks[point].append(track)
            table.joint[point] |= bool(track.condition.plan.inputs)
        table.refresh(point)


def _joint(joint: Joint) -> _Joint:
    return _Joint(joint.track.point, joint.track.place, joint.frontier, _rows(joint.waiting), joint.doubt)


def _restored_joints(engine: "Engine", stored: list[_Joint]) -> Joints:
    joints = Joints(engine.table, engine.agents_by_number, engine.kept, engine.say, engine.prefilter)
    by_place = {(one.track.point, one.track.place): one for one in joints.install()}
    for state in stored:
        joint = by_place[state.point, state.place]
        joint.frontier, joint.waiting = state.frontier, _columns(state.waiting)
        joints.doubt(joint, state.doubt)
    return joints


def _restore_condition(condition: Condition, stored: _Track) -> None:
    condition.levels = [LevelState(*state) for state in stored.levels]
    condition.edge, condition.code = stored.edge, stored.code
    condition.value = float("nan") if stored.value is None else stored.value
    condition.level, condition.due = stored.level, stored.due
    if isinstance(condition, Derived) and stored.signal is not None:
        condition.resume(stored.signal)


def _doubts(doubts: Doubts) -> _Doubts:
    return _Doubts(
        list(doubts.oldest.items()),
        [_Apart(point, _rows(one.rows), one.received, one.since, one.edge) for point, one in doubts.apart.items()],
    )


def _restored_doubts(stored: _Doubts) -> Doubts:
    doubts = Doubts()
    doubts.oldest = dict(stored.oldest)
    for one in stored.apart:
        doubts.apart[one.point] = Apart(_columns(one.rows), one.received, one.since, one.edge)
    return doubts


def _silence(silence: Silence, plans: _Plans) -> _Silence:
    return _Silence(
        silence.now,
        silence.connected,
        silence.counted,
        [(name, plans.number(plan)) for name, plan in zip(silence.slot_points, silence.plans, strict=True)],
        silence.levels,
        silence.due.astype("<i8").tobytes(),
        silence.heard.astype("<i8").tobytes(),
        silence.active.tobytes(),
    )


def _restored_silence(stored: _Silence, plans: list[Plan]) -> Silence:
    silence = Silence()
    silence.add([(name, plans[number]) for name, number in stored.watched], 0)
    silence.now, silence.connected, silence.counted = stored.now, stored.connected, stored.counted
    silence.levels = stored.levels
    silence.due = np.frombuffer(stored.due, "<i8").astype(np.int64)
    silence.heard = np.frombuffer(stored.heard, "<i8").astype(np.int64)
    silence.active = np.frombuffer(stored.active, np.bool_).copy()
    return silence
