"""The agent's loop on a disk that is full, fails for a while, or lost the outbox: it goes on and says what is gone."""

import sqlite3

from edge.outbox import Outbox
from edge.outbox_file import OutboxCorruptError, OutboxFile
from tests.unit.edge.agent_rig import AGENT


def test_a_full_disk_is_waited_out_in_memory(rig, monkeypatch) -> None:
    original = Outbox.append

    def full(self, rows, now) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Outbox, "append", full)
    rig.link.connect()
    rig.step()
    rig.step(10_000)
    assert (rig.outbox.held, rig.link.packs()) == (0, [])
    monkeypatch.setattr(Outbox, "append", original)
    rig.step(10_000)
    assert rig.outbox.held == 3
    assert [record["v"] for record in rig.link.packs()[0]] == [1.0, 2.0, 3.0]


def test_a_disk_too_full_to_delete_is_tried_again(rig, monkeypatch) -> None:
    rig.link.connect()
    rig.step()
    original = OutboxFile.execute

    def refuses(self, sql, values=()) -> None:
        if sql.startswith("DELETE"):
            raise sqlite3.OperationalError("database or disk is full")
        original(self, sql, values)

    monkeypatch.setattr(OutboxFile, "execute", refuses)
    rig.link.receipt("boot-1", 1)
    rig.step()
    assert rig.outbox.held == 1
    monkeypatch.setattr(OutboxFile, "execute", original)
    rig.step()
    assert rig.outbox.held == 0
    assert len(rig.link.packs()) == 1


def test_an_outbox_that_fails_for_a_while_does_not_end_the_agent(rig, monkeypatch) -> None:
    rig.link.connect()
    original = Outbox.peek
    monkeypatch.setattr(Outbox, "peek", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O error")))
    assert rig.step() == 1000
    monkeypatch.setattr(Outbox, "peek", original)
    rig.step()
    assert len(rig.link.packs()) == 1


def test_a_disk_that_stays_full_costs_the_oldest_readings_and_a_gap_says_so(rig, monkeypatch) -> None:
    monkeypatch.setattr("edge.agent.UNSTORED", 2)
    original = Outbox.append
    monkeypatch.setattr(Outbox, "append", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("full")))
    for _ in range(5):
        rig.step(10_000)
    monkeypatch.setattr(Outbox, "append", original)
    rig.step(10_000)
    gap = rig.outbox.gaps()[0].gap
    assert (gap.count, gap.reason) == (3, "disk_error")
    assert rig.outbox.held == 3


def test_an_outbox_damaged_at_work_begins_anew_under_a_new_boot(rig, monkeypatch) -> None:
    rig.link.connect()
    rig.step()
    original = Outbox.append
    monkeypatch.setattr(Outbox, "append", lambda *_: (_ for _ in ()).throw(OutboxCorruptError("malformed")))
    rig.step(10_000)
    monkeypatch.setattr(Outbox, "append", original)
    rig.step(10_000)
    topics = [topic for topic, _, _ in rig.link.sent]
    assert f"{AGENT}/readings/boot-2/1" in topics
    assert rig.link.on("status")[-1] == {"state": "online", "boot": "boot-2"}
    gaps = [record["gap"] for pack in rig.link.packs() for record in pack if "gap" in record]
    assert [gap["reason"] for gap in gaps] == ["outbox_corrupt"]
    assert [record["v"] for record in rig.link.packs()[-1] if "v" in record] == [2.0, 3.0]
