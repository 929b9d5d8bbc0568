"""The sender's half of go-back-N, stepped through with fake time."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.readings import Reading
from edge.outbox import Outbox
from edge.publisher import IDLE, REPEAT_AFTER, RETRY_FIRST, RETRY_LAST, WINDOW, Pack, Publisher, ReceiptOutcome

T0 = 1_700_000_000_000
UNITS = {"fridge-1/temperature": "Cel"}


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.db", 10_000_000, 10**9)
    box.open(T0)
    yield box
    box.close()


def put(outbox: Outbox, *offsets: int, upto: int | None = None) -> None:
    """One cycle of readings at T0 + offset; each row promises its own time, the last one `upto`."""
    rows = [(Reading("fridge-1/temperature", T0 + offset, 4.0), T0 + offset) for offset in offsets]
    if upto is not None:
        rows[-1] = (rows[-1][0], T0 + upto)
    outbox.append(rows, T0)


def drain(publisher: Publisher, tick: int, promise: int | None = T0) -> list[Pack]:
    packs = []
    while (pack := publisher.next_pack(tick, promise, UNITS)) is not None:
        packs.append(pack)
    return packs


def fill(outbox: Outbox, publisher: Publisher, count: int, tick: int = 0) -> list[Pack]:
    """`count` packs of one reading each."""
    packs = []
    for number in range(count):
        put(outbox, number)
        packs += drain(publisher, tick, T0 + number)
    return packs


def connected(outbox: Outbox) -> Publisher:
    publisher = Publisher(outbox, "boot-1")
    publisher.on_connect(0)
    return publisher


def seqs(packs: list[Pack]) -> list[int]:
    return [pack.seq for pack in packs]


def test_nothing_is_handed_out_without_a_connection(outbox) -> None:
    put(outbox, 0)
    publisher = Publisher(outbox, "boot-1")
    assert drain(publisher, 0) == []
    publisher.on_connect(0)
    assert seqs(drain(publisher, 0)) == [1]
    publisher.on_disconnect()
    put(outbox, 1)
    assert drain(publisher, 0) == []
    assert publisher.wake_at() is None


def test_a_cycle_is_one_pack_that_promises_the_cycles_time(outbox) -> None:
    put(outbox, 0, 0, 0)
    (pack,) = drain(connected(outbox), 0, promise=T0 + 500)
    assert (pack.seq, pack.low, len(pack.readings), pack.upto) == (1, 1, 3, T0 + 500)


def test_a_backlog_promises_no_more_than_what_is_still_to_come(outbox) -> None:
    for hour in range(3):
        put(outbox, *(hour * 3_600_000 + second * 1000 for second in range(3000)))
    packs = drain(connected(outbox), 0, promise=T0 + 10**8)
    assert sum(len(pack.readings) for pack in packs) == 9000
    assert len(packs) > 3
    for pack, following in itertools.pairwise(packs):
        assert pack.upto <= following.readings[0].time
        assert pack.upto >= pack.readings[-1].time
    assert packs[-1].upto == T0 + 10**8


def test_a_pack_cut_inside_one_moment_does_not_promise_beyond_it(outbox) -> None:
    rows = [(Reading(f"fridge-{n}/temperature", T0, 4.0), T0) for n in range(4000)]
    rows[-1] = (rows[-1][0], T0 + 10_000)
    outbox.append(rows, T0)
    packs = drain(connected(outbox), 0, promise=T0 + 10_000)
    assert len(packs) > 1
    assert {pack.upto for pack in packs[:-1]} == {T0}
    assert packs[-1].upto == T0 + 10_000


def test_nothing_goes_out_while_no_source_has_made_a_promise(outbox) -> None:
    publisher = connected(outbox)
    assert drain(publisher, 0, promise=None) == []
    put(outbox, 5)  # left by an earlier boot: its own promise is enough
    (pack,) = drain(publisher, 0, promise=None)
    assert pack.upto == T0 + 5


def test_the_window_stops_and_a_receipt_moves_it(outbox) -> None:
    publisher = connected(outbox)
    assert len(fill(outbox, publisher, WINDOW + 10)) == WINDOW
    assert publisher.on_receipt("boot-1", 3, 10) is ReceiptOutcome.PROGRESS
    following = drain(publisher, 10)
    assert following[0].seq == WINDOW + 1
    assert following[0].low == 4
    assert len(following[0].readings) == 10  # what had to wait travels together
    assert outbox.held == WINDOW + 10 - 3


def test_without_progress_the_first_pack_is_sent_again_at_doubling_intervals_until_a_minute(outbox) -> None:
    publisher = connected(outbox)
    fill(outbox, publisher, 3)
    tick, waits = 0, []
    for _ in range(6):
        due = publisher.wake_at()
        assert drain(publisher, due - 1) == []
        assert seqs(drain(publisher, due)) == [1]
        waits.append(due - tick)
        tick = due
    assert waits == [RETRY_FIRST, 10_000, 20_000, 40_000, RETRY_LAST, RETRY_LAST]


def test_once_the_first_is_receipted_again_the_rest_follows_at_once(outbox) -> None:
    publisher = connected(outbox)
    fill(outbox, publisher, 4)
    assert seqs(drain(publisher, RETRY_FIRST)) == [1]
    assert publisher.on_receipt("boot-1", 1, RETRY_FIRST + 50) is ReceiptOutcome.PROGRESS
    assert seqs(drain(publisher, RETRY_FIRST + 50)) == [2, 3, 4]
    assert publisher.wake_at() == RETRY_FIRST + 50 + RETRY_FIRST  # progress resets the interval


def test_a_receipt_that_repeats_goes_back_once(outbox) -> None:
    publisher = connected(outbox)
    fill(outbox, publisher, 4)
    publisher.on_receipt("boot-1", 1, 100)
    assert publisher.on_receipt("boot-1", 1, 100 + REPEAT_AFTER) is ReceiptOutcome.WENT_BACK
    assert seqs(drain(publisher, 1200)) == [2, 3, 4]
    assert publisher.on_receipt("boot-1", 1, 1300 + 3 * REPEAT_AFTER) is ReceiptOutcome.REPEATED


def test_a_stray_copy_of_a_receipt_does_not_send_the_window_twice(outbox) -> None:
    publisher = connected(outbox)
    fill(outbox, publisher, 4)
    publisher.on_receipt("boot-1", 1, 100)
    assert publisher.on_receipt("boot-1", 1, 101) is ReceiptOutcome.REPEATED
    assert drain(publisher, 102) == []


def test_slow_receipts_are_not_taken_for_losses(outbox) -> None:
    publisher = connected(outbox)
    for number in range(1, 20):
        fill(outbox, publisher, 1, tick=number * 10_000)
        publisher.on_receipt("boot-1", number, number * 10_000 + 3_000)
    fill(outbox, publisher, 2, tick=300_000)
    assert publisher.on_receipt("boot-1", 19, 302_000) is ReceiptOutcome.REPEATED


def test_after_a_reconnect_the_retained_receipt_tells_what_is_missing(outbox) -> None:
    publisher = connected(outbox)
    fill(outbox, publisher, 3)
    publisher.on_disconnect()
    publisher.on_connect(500)
    assert drain(publisher, 500) == []
    assert publisher.on_receipt("boot-1", 0, 501) is ReceiptOutcome.WENT_BACK
    assert seqs(drain(publisher, 501)) == [1, 2, 3]


def test_after_a_reconnect_what_the_receipt_leaves_open_is_sent_again(outbox) -> None:
    publisher = connected(outbox)
    fill(outbox, publisher, 3)
    publisher.on_disconnect()
    publisher.on_connect(500)
    assert publisher.on_receipt("boot-1", 2, 501) is ReceiptOutcome.PROGRESS
    assert seqs(drain(publisher, 501)) == [3]


def test_a_broker_that_forgot_everything_gets_the_packs_again_by_timeout(outbox) -> None:
    publisher = connected(outbox)
    fill(outbox, publisher, 2)
    publisher.on_disconnect()
    publisher.on_connect(60_000)
    assert drain(publisher, 60_000) == []
    assert seqs(drain(publisher, 60_000 + RETRY_FIRST)) == [1]


@pytest.mark.parametrize(
    ("boot", "through", "outcome"),
    [("boot-0", 1, ReceiptOutcome.OTHER_BOOT), ("boot-1", 3, ReceiptOutcome.NEVER_PUBLISHED)],
)
def test_receipts_of_another_boot_or_beyond_what_was_published_settle_nothing(outbox, boot, through, outcome) -> None:
    publisher = connected(outbox)
    fill(outbox, publisher, 2)
    assert publisher.on_receipt(boot, through, 10) is outcome
    assert outbox.held == 2


def test_a_receipt_that_falls_back_settles_nothing_and_the_next_copy_tells_what_is_still_held(outbox) -> None:
    publisher = connected(outbox)
    fill(outbox, publisher, 3)
    publisher.on_receipt("boot-1", 2, 10)
    assert publisher.on_receipt("boot-1", 0, 5_000) is ReceiptOutcome.WENT_BACK
    (pack,) = drain(publisher, 5_000)
    assert (pack.seq, pack.low) == (3, 3)


def test_an_idle_agent_sends_an_empty_pack_every_30_s(outbox) -> None:
    publisher = connected(outbox)
    (pack,) = drain(publisher, 0, promise=T0)
    assert (pack.seq, pack.readings, pack.upto) == (1, (), T0)
    publisher.on_receipt("boot-1", 1, 10)
    assert drain(publisher, IDLE - 1) == []
    assert publisher.wake_at() == IDLE
    assert seqs(drain(publisher, IDLE, promise=T0 + IDLE)) == [2]


def test_an_idle_agent_that_gets_no_receipts_does_not_pile_up_empty_packs(outbox) -> None:
    publisher = connected(outbox)
    drain(publisher, 0)
    later = [pack.seq for tick in range(0, 20 * IDLE, 1000) for pack in drain(publisher, tick)]
    assert set(later) == {1}


def test_a_pack_sent_again_holds_the_same_rows_although_more_came_and_the_outbox_overflowed(tmp_path) -> None:
    outbox = Outbox(tmp_path / "small.db", 2_000, 10**9)
    outbox.open(T0)
    publisher = connected(outbox)
    put(outbox, 1, 2, 3)
    (first,) = drain(publisher, 0, T0 + 3)
    for number in range(100):
        put(outbox, 1000 + number)
    assert outbox.trim(T0) > 0
    (again,) = drain(publisher, RETRY_FIRST, T0 + 5000)
    assert (again.seq, again.readings, again.upto) == (1, first.readings, first.upto)
    publisher.on_receipt("boot-1", 1, RETRY_FIRST)
    (following,) = drain(publisher, RETRY_FIRST, T0 + 5000)
    (gap,) = following.gaps
    assert gap.count + len(following.readings) == 100
    assert gap.end < following.readings[0].time
    outbox.close()


def test_gap_records_travel_until_they_are_receipted(outbox) -> None:
    from edge.outbox import GapReason

    outbox.add_gap(T0 - 10, T0 - 5, 7, GapReason.OUTBOX_FULL, ["fridge-1/temperature"])
    publisher = connected(outbox)
    (pack,) = drain(publisher, 0)
    assert pack.gaps[0].count == 7
    assert len(outbox.gaps()) == 1
    assert drain(publisher, RETRY_FIRST)[0].gaps == pack.gaps
    publisher.on_receipt("boot-1", 1, RETRY_FIRST)
    assert outbox.gaps() == []


def test_a_new_boot_repacks_what_was_not_receipted(outbox) -> None:
    fill(outbox, connected(outbox), 3)
    publisher = Publisher(outbox, "boot-2")
    publisher.on_connect(0)
    (pack,) = drain(publisher, 0, promise=None)
    assert (pack.seq, len(pack.readings)) == (1, 3)
    assert not publisher.settled
    publisher.on_receipt("boot-2", 1, 1)
    assert publisher.settled
