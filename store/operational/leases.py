"""Leases: which worker writes for a site. Safe by the epoch that every commit carries, never by anybody's clock.

The clock only decides how soon a lease that is not renewed may be taken. Workers on one machine share its clock; on
PostgreSQL, which workers of several machines share, the server's clock is the one that counts.
"""

from enum import StrEnum

from sqlalchemy import Connection, select, text, update

from domain.errors import FencedError
from domain.records import Commit, Lease
from store.operational.upsert import upsert
from store.schema import leases

_SERVER_TIME = text("SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)")


class LeaseClock(StrEnum):
    """Whose time leases are measured by."""

    CALLER = "caller"  # the `now` that the worker passes
    SERVER = "server"  # the database server's


def acquire(connection: Connection, site: str, worker: str, now: int, ttl: int, epoch: int | None) -> int | None:
    """Take or renew the site's lease; see `domain.ports.Ledger.acquire`."""
    held = connection.execute(select(leases).where(leases.c.site == site).with_for_update()).first()
    if epoch is not None:
        if held is None or held.epoch != epoch or held.worker != worker:
            return None
        granted = epoch
    elif held is not None and held.until > now and held.worker != worker:
        return None
    else:
        granted = 1 if held is None else held.epoch + 1
    row = {"site": site, "worker": worker, "epoch": granted, "until": now + ttl}
    upsert(connection, leases, [row], ("worker", "epoch", "until"))
    return granted


def release(connection: Connection, site: str, worker: str, epoch: int) -> None:
    """Let the lease run out, if it is still this one; its epoch stays, so that the next one is higher."""
    mine = (leases.c.site == site, leases.c.worker == worker, leases.c.epoch == epoch)
    connection.execute(update(leases).where(*mine).values(until=0))


def check(connection: Connection, commit: Commit) -> None:
    """FencedError when the commit's epoch is not the one of the site's lease."""
    held = connection.execute(select(leases).where(leases.c.site == commit.site).with_for_update()).first()
    if held is None or held.epoch != commit.epoch or held.worker != commit.worker:
        holder = "nobody" if held is None else f"{held.worker} (epoch {held.epoch})"
        raise FencedError(
            f"{commit.worker} (epoch {commit.epoch}) no longer holds the lease of {commit.site}: {holder} does",
            "acquire the lease again and start from the journal",
        )


def load(connection: Connection) -> list[Lease]:
    """Every lease, by site."""
    found = [Lease(row.site, row.worker, row.epoch, row.until) for row in connection.execute(select(leases))]
    return sorted(found, key=lambda lease: lease.site)


def server_time(connection: Connection) -> int:
    """The database server's time, UTC ms, moving on within a transaction."""
    return int(connection.execute(_SERVER_TIME).scalar_one())
