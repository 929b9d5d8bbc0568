"""What is beyond the bounds of a site: the future, points that nobody named, agents that nobody named."""

import json
from dataclasses import replace

import pytest

from domain.catalogue_file import load_catalogue
from domain.reasons import DeadReason
from domain.records import Position
from domain.times import HOUR, MINUTE
from ingest.accept import Acceptor, Limits, Verdict
from ingest.admission import MOST_TURNED_AWAY, Admission
from tests.unit.ingest.fake_ledger import SITE_YAML
from tests.unit.ingest.ingest_fakes import NOW, SITE, pack, raw, simple
from wire.topics import birth_topic, readings_topic

FUTURE = 5 * MINUTE
YEAR_2100 = 4_102_444_800_000


def door(limits: Limits | None = None, **known: Position) -> Acceptor:
    acceptor = Acceptor(SITE, known, {}, (), limits or Limits())
    acceptor.configure(load_catalogue(SITE_YAML, "site.yaml").by_name)
    return acceptor


def test_a_reading_at_the_allowance_is_taken_and_one_beyond_is_a_dead_letter_of_its_own() -> None:
    outcome = door().accept(pack(1, 4.0, 5.0, start=NOW + FUTURE - 500, upto=NOW), NOW)
    assert outcome.pack is not None
    assert outcome.pack.rows.value.tolist() == [4.0]
    assert outcome.position == Position("a", "b1", 1), "the pack is settled"
    (letter,) = outcome.letters
    assert letter.reason is DeadReason.FUTURE_TIME
    assert "set the agent's clock" in letter.detail


def test_the_letter_of_the_future_is_a_pack_of_just_those_readings() -> None:
    outcome = door().accept(pack(1, 4.0, 5.0, 6.0, start=NOW + FUTURE - 500, upto=NOW), NOW)
    (letter,) = outcome.letters
    again = door().accept(simple(letter.payload), NOW + HOUR)
    assert again.pack is not None
    assert again.pack.rows.value.tolist() == [5.0, 6.0]
    assert again.pack.rows.time.tolist() == [NOW + FUTURE + 500, NOW + FUTURE + 1500]


def test_a_pack_that_is_wholly_of_the_future_is_settled_without_a_reading() -> None:
    outcome = door().accept(pack(1, 4.0, start=YEAR_2100), NOW)
    assert outcome.verdict is Verdict.TAKEN
    assert outcome.pack is not None
    assert len(outcome.pack.rows) == 0
    assert outcome.pack.upto == NOW
    device = door().accept(simple(b'[{"n":"fridge-1/temperature","t":%d,"v":1}]' % (YEAR_2100 // 1000)), NOW)
    assert (device.verdict, device.pack) == (Verdict.DEAD_LETTER, None)


@pytest.mark.parametrize(
    ("upto", "believed"),
    [
        (NOW - 1, NOW - 1),
        (NOW + FUTURE, NOW + FUTURE),
        (NOW + FUTURE + 1, NOW),
        (YEAR_2100, NOW),
    ],
)
def test_a_promise_from_the_future_counts_as_made_now(upto: int, believed: int) -> None:
    outcome = door().accept(pack(1, 4.0, start=NOW - 60_000, upto=upto), NOW)
    assert outcome.pack is not None
    assert outcome.pack.upto == believed
    assert outcome.letters == ()


def test_a_gap_ends_at_the_allowance_and_one_of_the_future_is_refused() -> None:
    def gap(start: int, end: int) -> dict[str, object]:
        return {"gap": {"from": start / 1000, "to": end / 1000, "count": 1, "reason": "outbox_full"}}

    payload = json.dumps([gap(NOW - 1000, YEAR_2100), gap(YEAR_2100, YEAR_2100 + 1000)]).encode()
    outcome = door().accept(raw(readings_topic(SITE, "a", "b1", 1), payload), NOW)
    (kept,) = outcome.gaps
    assert (kept.start, kept.end) == (NOW - 1000, NOW + FUTURE)
    assert [letter.reason for letter in outcome.letters] == [DeadReason.FUTURE_TIME]


def test_points_that_nobody_named_are_taken_up_to_the_bound_and_known_ones_always() -> None:
    acceptor = door(Limits(unknown_points=2))
    payload = b'[{"bn":"new-%d/"},{"n":"temperature","v":1},{"bn":"","n":"fridge-1/temperature","v":2}]'
    outcomes = [acceptor.accept(simple(payload % number), NOW) for number in (1, 2, 3, 1)]
    rows = [outcome.pack.rows.names if outcome.pack else () for outcome in outcomes]
    known = "fridge-1/temperature"
    assert rows == [
        ("new-1/temperature", known),
        ("new-2/temperature", known),
        (known,),
        ("new-1/temperature", known),
    ]
    (letter,) = outcomes[2].letters
    assert letter.reason is DeadReason.TOO_MANY_POINTS
    assert "new-3/temperature" in letter.detail
    assert json.loads(letter.payload) == [{"bn": "new-3/"}, {"n": "temperature", "v": 1}]


def test_a_catalogue_that_takes_points_in_makes_room_for_others() -> None:
    acceptor = door(Limits(unknown_points=1))
    other = simple(b'[{"n":"oven-1/temperature","v":1}]')
    assert acceptor.accept(simple(b'[{"n":"fridge-2/temperature","v":1}]'), NOW).letters == ()
    assert acceptor.accept(other, NOW).letters[0].reason is DeadReason.TOO_MANY_POINTS
    more = SITE_YAML + "  - {id: fridge-2, type: refrigerator, area: kitchen, points: {temperature: {}}}\n"
    acceptor.configure(load_catalogue(more, "site.yaml").by_name)
    assert acceptor.accept(other, NOW).letters == ()


def test_the_detail_of_many_points_stays_short() -> None:
    acceptor = door(Limits(unknown_points=0))
    records = [{"n": f"new-{number}/temperature", "v": 1} for number in range(1000)]
    (letter,) = acceptor.accept(simple(json.dumps(records).encode()), NOW).letters
    assert len(letter.detail) < 1000
    assert len(json.loads(letter.payload)) == 1000


def test_new_agents_beyond_the_hourly_bound_get_no_receipt_and_are_heard_an_hour_later() -> None:
    acceptor = door(Limits(agents_per_hour=1))
    assert acceptor.accept(pack(1, 4.0, agent="a"), NOW).answer is not None
    refused = acceptor.accept(pack(1, 4.0, agent="b", point="fridge-2/temperature"), NOW)
    assert (refused.verdict, refused.answer, refused.position) == (Verdict.TURNED_AWAY, None, None)
    assert [letter.reason for letter in refused.letters] == [DeadReason.TOO_MANY_AGENTS]
    again = acceptor.accept(pack(2, 4.0, agent="b", point="fridge-2/temperature"), NOW + 1)
    assert (again.verdict, again.letters) == (Verdict.TURNED_AWAY, ()), "one letter is enough: it holds its readings"
    birth = acceptor.accept(raw(birth_topic(SITE, "b"), b"{}"), NOW + 2)
    assert birth.verdict is Verdict.TURNED_AWAY
    later = acceptor.accept(pack(1, 4.0, agent="b", point="fridge-2/temperature"), NOW + HOUR)
    assert later.answer == Position("b", "b1", 1)


def test_each_pack_of_a_simple_device_that_is_turned_away_is_kept() -> None:
    acceptor = door(Limits(agents_per_hour=0))
    for number in range(3):
        payload = b'[{"n":"new/temperature","v":%d}]' % number
        (letter,) = acceptor.accept(simple(payload), NOW).letters
        assert letter.payload == payload


def test_agents_that_are_known_or_named_by_the_catalogue_are_never_new() -> None:
    acceptor = door(Limits(agents_per_hour=0), a=Position("a", "b1", 4))
    assert acceptor.accept(pack(5, 4.0, agent="a"), NOW).verdict is Verdict.TAKEN
    named = pack(1, 4.0, agent="cellar", point="freezer-1/temperature")
    assert acceptor.accept(named, NOW).verdict is Verdict.TAKEN
    owner = Acceptor(SITE, {}, {"x/temperature": "esp"}, (), Limits(agents_per_hour=0))
    assert owner.accept(simple(b'[{"n":"x/temperature","v":1}]'), NOW).verdict is Verdict.TAKEN


def test_names_that_are_turned_away_are_remembered_within_bounds() -> None:
    admission = Admission((), 0)
    assert [admission.first_refusal("a"), admission.first_refusal("a")] == [True, False]
    for number in range(MOST_TURNED_AWAY):
        admission.first_refusal(f"made-up-{number}")
    assert admission.first_refusal("a"), "all were forgotten"
    assert not admission.admit("a", NOW)


def test_the_bound_is_over_any_hour_not_over_the_clock_s_hours() -> None:
    admission = Admission((), 2)
    assert [admission.admit(name, NOW + at) for name, at in (("a", 0), ("b", 30 * MINUTE), ("c", 59 * MINUTE))] == [
        True,
        True,
        False,
    ]
    assert admission.admit("c", NOW + HOUR)
    assert not admission.admit("d", NOW + HOUR)
    assert admission.admit("d", NOW + HOUR + 30 * MINUTE)
    assert admission.admit("a", NOW), "once heard, always known"


def test_an_oversized_site_still_hears_its_own_agent_after_a_restart() -> None:
    limits = replace(Limits(), agents_per_hour=0)
    acceptor = Acceptor(SITE, {}, {}, [Position("a", "b1", 3)], limits)
    assert acceptor.accept(pack(4, 4.0), NOW).verdict is Verdict.TAKEN
