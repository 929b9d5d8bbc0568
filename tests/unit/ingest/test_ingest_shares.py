"""Which sites a worker takes and gives up; its presence among others; two processes of one name."""

from collections.abc import Sequence

import pytest

from domain.records import Lease
from ingest.settings import IngestSettings
from ingest.shares import Plan, plan, presence
from ingest.sharing import Sharing
from tests.unit.ingest.ingest_fakes import NOW, FakeLedger

SITES = ["school-1", "school-2", "school-3", "school-4"]
TTL = 15_000


def there(*workers: str, until: int = NOW + TTL) -> list[Lease]:
    return [Lease(presence(worker), worker, 1, until) for worker in workers]


def served(by: str, sites: Sequence[str], until: int = NOW + TTL) -> list[Lease]:
    return [Lease(site, by, 1, until) for site in sites]


def test_alone_it_takes_everything() -> None:
    found = plan("a", SITES, there("a"), NOW, ())
    assert found.alone
    assert sorted(found.take) == SITES
    assert found.give is None


def test_without_sites_and_without_leases_there_is_nothing_to_do() -> None:
    assert plan("a", [], [], NOW, ()) == Plan(("a",), 0)


def test_of_two_that_start_together_each_takes_half() -> None:
    leases = there("a", "b")
    first, second = plan("a", SITES, leases, NOW, ()), plan("b", SITES, leases, NOW, ())
    assert (first.share, len(first.take), len(second.take)) == (2, 2, 2)
    assert not first.alone


def test_what_another_serves_is_left_to_it() -> None:
    leases = there("a", "b") + served("b", SITES[:3])
    assert plan("a", SITES, leases, NOW, ()).take == (SITES[3],)


def test_the_share_is_rounded_up_so_that_no_site_is_left_over() -> None:
    sites = SITES[:3]
    assert plan("a", sites, there("a", "b"), NOW, ()).share == 2


def test_what_it_served_before_its_restart_comes_first() -> None:
    leases = there("a", "b") + served("a", SITES[2:])
    assert sorted(plan("a", SITES, leases, NOW, ()).take) == SITES[2:]


def test_when_another_joins_one_site_at_a_time_is_given_up_until_the_share_is_reached() -> None:
    held, moves = set(SITES), 0
    while (given := plan("a", SITES, there("a", "b") + served("a", sorted(held)), NOW, held).give) is not None:
        held.discard(given)
        moves += 1
    assert (len(held), moves) == (2, 2)


def test_what_is_given_up_is_taken_by_the_one_that_joined() -> None:
    leases = there("a", "b") + served("a", SITES)
    given = plan("a", SITES, leases, NOW, SITES).give
    assert given is not None
    leases = [Lease(given, "a", 1, 0) if lease.site == given else lease for lease in leases]
    assert plan("b", SITES, leases, NOW, ()).take == (given,)
    assert given not in plan("a", SITES, leases, NOW, [site for site in SITES if site != given]).take[1:]


def test_a_worker_that_ended_moves_only_its_own_sites() -> None:
    leases = there("a") + there("b", until=NOW - 1) + served("a", SITES[:2]) + served("b", SITES[2:], until=NOW - 1)
    found = plan("a", SITES, leases, NOW, SITES[:2])
    assert found.workers == ("a",)
    assert sorted(found.take) == SITES[2:]
    assert found.give is None


@pytest.mark.parametrize("left", [1, 0])
def test_a_lease_counts_until_its_last_moment(left: int) -> None:
    leases = there("a", "b") + served("b", SITES, until=NOW + left)
    assert bool(plan("a", SITES, leases, NOW, ()).take) is not bool(left)


def test_alone_nothing_is_given_up_whatever_is_held() -> None:
    assert plan("a", SITES[:1], there("a"), NOW, SITES).give is None


def sharing(ledger: FakeLedger, worker: str = "a") -> Sharing:
    return Sharing(IngestSettings("mqtt://localhost", worker=worker, lease_ttl=TTL), ledger)


def test_a_process_says_that_it_is_there_and_sees_who_else_is() -> None:
    ledger = FakeLedger()
    a, b = sharing(ledger, "a"), sharing(ledger, "b")
    found = a.plan(NOW, SITES, ())
    assert found is not None
    assert found.alone
    found = b.plan(NOW + 1, SITES, ())
    assert found is not None
    assert found.workers == ("a", "b")
    found = a.plan(NOW + 2, SITES, ())
    assert found is not None
    assert found.workers == ("a", "b")


def test_presence_is_renewed_after_a_third_of_its_time() -> None:
    ledger = FakeLedger()
    a = sharing(ledger)
    for later in (0, TTL // 3 - 1, TTL // 3):
        a.plan(NOW + later, SITES, ())
    assert ledger.held[presence("a")] == ("a", 1, NOW + TTL // 3 + TTL)


def test_a_process_that_is_gone_for_longer_than_its_lease_no_longer_counts() -> None:
    ledger = FakeLedger()
    a, b = sharing(ledger, "a"), sharing(ledger, "b")
    a.plan(NOW, SITES, ())
    b.plan(NOW, SITES, ())
    found = a.plan(NOW + TTL, SITES, ())
    assert found is not None
    assert found.alone


def test_a_process_that_ends_in_order_no_longer_counts_at_once() -> None:
    ledger = FakeLedger()
    a, b = sharing(ledger, "a"), sharing(ledger, "b")
    a.plan(NOW, SITES, ())
    b.plan(NOW, SITES, ())
    b.leave()
    found = a.plan(NOW + 1, SITES, ())
    assert found is not None
    assert found.alone


def test_who_was_never_there_leaves_nothing_and_a_store_that_is_away_stops_nobody_from_leaving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = FakeLedger()
    sharing(ledger).leave()
    assert ledger.held == {}
    a = sharing(ledger)
    a.plan(NOW, SITES, ())
    monkeypatch.setattr(ledger, "release", lambda *_: 1 / 0)
    a.leave()


def test_times_are_measured_by_the_clock_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, ahead = FakeLedger(), 3_600_000
    real = ledger.acquire

    def acquire(site: str, worker: str, now: int, ttl: int, epoch: int | None = None) -> int | None:
        return real(site, worker, now + ahead, ttl, epoch)

    monkeypatch.setattr(ledger, "acquire", acquire)
    ledger.held["school-1"] = ("b", 1, NOW + ahead + 10_000)
    ledger.held["school-2"] = ("b", 1, NOW + ahead - 1)
    found = sharing(ledger).plan(NOW, SITES, ())
    assert found is not None
    assert sorted(found.take) == SITES[1:]


def test_of_two_processes_with_one_name_the_elder_stands_by_until_the_name_is_free() -> None:
    ledger = FakeLedger()
    elder, younger = sharing(ledger), sharing(ledger)
    assert elder.plan(NOW, SITES, ()) is not None
    assert younger.plan(NOW + 1, SITES, ()) is not None
    assert elder.plan(NOW + TTL, SITES, ()) is None
    assert younger.plan(NOW + TTL, SITES, ()) is not None
    assert elder.plan(NOW + TTL + 1, SITES, ()) is None
    younger.leave()
    assert elder.plan(NOW + 2 * TTL, SITES, ()) is not None
