"""Which sites this process serves while several ingest processes share them: each takes its share and no more.

Decides from the leases alone, as they stand in the store, so that no process has to talk to another. A process is
there while its own lease `@worker` runs; its share is the number of sites through the number of processes that are
there, rounded up. It takes sites that nobody serves up to its share, and gives up one at a time when it has more, so
that a process that joins moves few sites and one that ends moves only its own. Reads no clock: times are those of the
store, which measures all leases alike.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from zlib import crc32

from domain.records import Lease
from wire.topics import ingest_filters, watch_filters

_PRESENCE = "@"  # no site's id begins so


def presence(worker: str) -> str:
    """The name of the lease that says that the worker is there."""
    return f"{_PRESENCE}{worker}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now: `take` these sites, `give` that one up. `workers` are those that are there, this one among them;
    `share` is how many sites it may serve."""

    workers: tuple[str, ...]
    share: int
    take: tuple[str, ...] = ()
    give: str | None = None

    @property
    def alone(self) -> bool:
        """Whether no other process shares the sites."""
        return len(self.workers) <= 1


def plan(worker: str, sites: Sequence[str], leases: Sequence[Lease], now: int, held: Collection[str]) -> Plan:
    """The plan of `worker`, which serves `held`, at `now` (UTC ms of the store's clock)."""
    running = [lease for lease in leases if lease.until > now]
    workers = {lease.worker for lease in running if lease.site.startswith(_PRESENCE)} | {worker}
    share = -(-len(sites) // len(workers))
    taken = {lease.site for lease in running if lease.worker != worker}
    own = {lease.site for lease in leases if lease.worker == worker}
    free = [site for site in sites if site not in taken and site not in held]
    # Its own of a former run first; else each worker begins elsewhere: two that start together seldom want the same.
    free.sort(key=lambda site: (site not in own, _order(worker, site)))
    room = max(0, share - len(held))
    surplus = sorted(held, key=lambda site: _order(worker, site))[share:] if len(workers) > 1 else []
    return Plan(tuple(sorted(workers)), share, tuple(free[:room]), surplus[-1] if surplus else None)


def filters(plan: Plan, sites: Sequence[str], held: Collection[str], watching: bool) -> tuple[list[str], list[str]]:
    """What to subscribe to, and what not: everything when alone, else the sites that are held. No two of the former
    bring the same message of a simple device, whose copies would be two readings. `watching`: this process also looks
    out for agents of sites that nobody described."""
    everything = list(ingest_filters())
    by_site = {site: ingest_filters(site) for site in sites}
    if plan.alone:
        return everything, [name for names in by_site.values() for name in names] + list(watch_filters()[2:])
    wanted = [name for site in held for name in by_site.get(site, ())]
    if watching:
        wanted += watch_filters()
    return wanted, [name for names in (everything, *by_site.values()) for name in names if name not in set(wanted)]


def _order(worker: str, site: str) -> tuple[int, str]:
    return crc32(f"{worker}/{site}".encode()), site
