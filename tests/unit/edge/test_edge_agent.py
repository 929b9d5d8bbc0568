"""The agent's loop: what it samples, publishes, holds back and says when it stops."""

import json
import math

from domain.readings import Quality, Reading
from edge.agent import AHEAD, CHUNK
from edge.link import Event, EventKind
from edge.publisher import IDLE
from tests.unit.edge.agent_rig import AGENT, T0, History, Rig, Sensor
from wire.messages import ClockState


def test_it_announces_itself_then_publishes_each_cycle_as_one_pack(rig) -> None:
    rig.step()
    assert rig.link.sent == []  # sampled and kept, without a connection
    assert rig.outbox.held == 1
    rig.link.connect()
    rig.step()
    assert [topic.removeprefix(AGENT) for topic, _, _ in rig.link.sent] == ["/birth", "/status", "/readings/boot-1/1"]
    assert [retain for _, _, retain in rig.link.sent] == [True, True, False]
    assert rig.link.on("status") == [{"state": "online", "boot": "boot-1"}]
    (birth,) = rig.link.on("birth")
    assert birth["points"] == [{"point": "fridge-1/temperature", "unit": "Cel", "interval": 10_000}]
    assert (birth["boot"], birth["version"], birth["clock"]) == ("boot-1", "1.2.3", "synchronised")
    ((record,),) = rig.link.packs()
    assert (record["bn"] + record["n"], record["u"], record["v"]) == ("fridge-1/temperature", "Cel", 1.0)
    assert (record["bt"] + record.get("t", 0), record["upto"], record["sent"], record["low"]) == (T0 / 1000,) * 3 + (1,)


def test_a_reading_stays_until_its_receipt(rig) -> None:
    rig.link.connect()
    rig.step()
    rig.link.receipt("boot-1", 1)
    rig.link.waiting.append(Event(EventKind.RECEIVED, b"\xff not a receipt"))
    rig.step()
    assert rig.outbox.held == 0
    rig.step(10_000)
    assert rig.outbox.held == 1


def test_the_loop_sleeps_until_the_next_cycle_and_no_longer_than_a_second(rig) -> None:
    assert rig.step() == 1000
    assert rig.step(9_500) == 500
    assert rig.sources[0].count == 1
    rig.step(500)
    assert rig.sources[0].count == 2


def test_cycles_that_were_missed_are_left_out_and_not_made_up(rig) -> None:
    rig.step()
    rig.step(35_000)
    rig.step()
    assert rig.sources[0].count == 2
    rig.step(5_000)
    assert rig.sources[0].count == 3


def test_the_birth_is_published_again_when_the_points_change(rig) -> None:
    rig.link.connect()
    rig.step()
    rig.sources[0].names.append("fridge-1/humidity")
    rig.step(10_000)
    assert [len(birth["points"]) for birth in rig.link.on("birth")] == [1, 2]


def test_a_clock_that_is_not_synchronised_makes_readings_uncertain(tmp_path) -> None:
    rig = Rig(tmp_path)
    rig.clock.clock_state = ClockState.UNSYNCHRONISED
    rig.step(60_000)
    assert rig.outbox.peek(0, 9)[-1].reading.quality is Quality.UNCERTAIN
    rig.clock.clock_state = ClockState.SYNCHRONISED
    rig.step(60_000)
    assert rig.outbox.peek(0, 9)[-1].reading.quality is Quality.GOOD
    rig.outbox.close()


def test_a_trusted_clock_is_not_asked(tmp_path) -> None:
    rig = Rig(tmp_path, trust_clock=True)
    rig.clock.clock_state = ClockState.UNSYNCHRONISED
    rig.step()
    assert rig.outbox.peek(0, 9)[0].reading.quality is Quality.GOOD
    rig.outbox.close()


def test_nothing_is_sampled_before_the_clock_was_set(rig) -> None:
    rig.clock.now = 5_000
    rig.step()
    assert (rig.sources[0].count, rig.outbox.held) == (0, 0)
    rig.clock.now = T0
    rig.step(10_000)
    assert rig.outbox.held == 1


def test_a_long_history_streams_in_chunks_and_waits_while_the_outbox_is_ahead(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("edge.agent.AHEAD", 3 * CHUNK)
    assert AHEAD > 64 * CHUNK  # otherwise the window would run empty
    history = History(10 * CHUNK)
    rig = Rig(tmp_path, history, Sensor())
    for _ in range(20):
        rig.step()
    assert rig.outbox.held == 3 * CHUNK + 1
    assert history.given == 3 * CHUNK + 1  # one ahead, to know what can be promised
    rig.step(10_000)
    assert rig.outbox.held == 3 * CHUNK + 2  # the live sensor is sampled on time all the same
    rig.link.answering = True
    rig.link.connect()
    for _ in range(100):
        rig.step()
    assert history.exhausted
    assert rig.outbox.held == 0
    packs = rig.link.packs()
    values = [record["v"] for pack in packs for record in pack if record.get("v", 0) > 2]
    assert values == [float(number) for number in range(3, 10 * CHUNK + 1)]
    upto = [pack[0]["upto"] for pack in packs]
    assert upto == sorted(upto)
    assert upto[-1] == T0 / 1000  # the cycle in which the history was asked
    assert rig.step() > 0
    rig.outbox.close()


def test_an_idle_agent_speaks_every_30_s(tmp_path) -> None:
    rig = Rig(tmp_path, History(0))
    rig.link.answering = True
    rig.link.connect()
    rig.step()
    assert rig.link.packs() == [[{"sent": T0 / 1000, "upto": T0 / 1000, "low": 1}]]
    rig.step(IDLE - 1)
    assert len(rig.link.packs()) == 1
    rig.step(1)
    assert [pack[0]["upto"] for pack in rig.link.packs()[1:]] == [(T0 + IDLE) / 1000]
    rig.outbox.close()


def test_it_is_done_when_a_replay_is_over_and_receipted(tmp_path) -> None:
    rig = Rig(tmp_path, History(3))
    rig.step()
    assert not rig.agent.done
    rig.link.answering = True
    rig.link.connect()
    rig.step()
    rig.step()
    assert rig.agent.done
    rig.outbox.close()


def test_what_the_broker_has_not_acknowledged_holds_back_more(rig) -> None:
    rig.link.connect()
    rig.link.unacknowledged = 64
    rig.step()
    assert rig.link.packs() == []
    rig.link.unacknowledged = 63
    rig.step()
    assert len(rig.link.packs()) == 1


def test_a_stop_publishes_what_it_can_says_offline_and_closes_everything(rig) -> None:
    rig.link.answering = True
    rig.step()
    rig.link.connect()
    rig.agent._handle(rig.link.events())
    rig.agent.finish()
    assert rig.link.sent[-1] == (f"{AGENT}/status", b'{"state":"offline","boot":"boot-1"}', True)
    assert len(rig.link.packs()) == 1
    assert not rig.link.running
    assert not rig.sources[0].open_


def test_a_stop_without_receipts_takes_about_two_seconds_and_keeps_the_readings(rig) -> None:
    rig.link.connect()
    rig.step()
    began = rig.clock.ticks
    rig.agent.finish()
    assert 1_900 <= rig.clock.ticks - began <= 2_600
    rig.outbox.open(T0)
    assert rig.outbox.held == 1


def test_a_stop_without_a_connection_is_immediate(rig) -> None:
    rig.step()
    rig.agent.finish()
    assert rig.link.sent == []
    assert rig.link.waits == []


def test_the_produced_log_holds_everything_before_the_outbox_does(tmp_path) -> None:
    rig = Rig(tmp_path, produced_log=tmp_path / "below" / "produced.jsonl")
    rig.sources[0].read = lambda now: [
        Reading("fridge-1/temperature", now, 4.5),
        Reading("fridge-1/temperature", now, math.nan, Quality.BAD, "x"),
    ]
    rig.step()
    rows = [json.loads(line) for line in (tmp_path / "below" / "produced.jsonl").read_text().splitlines()]
    assert rows == [
        {"time": T0, "point": "fridge-1/temperature", "value": 4.5, "quality": "good"},
        {"time": T0, "point": "fridge-1/temperature", "value": None, "quality": "bad"},
    ]
    rig.agent.finish()


def test_a_lost_connection_is_taken_up_again(rig) -> None:
    rig.link.connect()
    rig.step()
    rig.link.waiting.append(Event(EventKind.DISCONNECTED))
    rig.step(10_000)
    assert len(rig.link.packs()) == 1
    rig.link.connect()
    rig.link.receipt("boot-1", 0)
    rig.step()
    assert [topic.split("/")[-1] for topic, _, _ in rig.link.sent if "/readings/" in topic] == ["1", "1", "2"]
    assert len(rig.link.on("birth")) == 2
