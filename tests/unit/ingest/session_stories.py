"""A site's session of the bench: begun, settled, and what it receipted."""

import json

from domain.alarms import AlarmKey
from ingest.site_session import SiteSession
from tests.unit.ingest.ingest_fakes import SITE, Bench
from wire.topics import alarm_topic, receipt_topic

RECEIPT = receipt_topic(SITE, "a")
KEY = AlarmKey("too-warm", "fridge-1/temperature")
ALARM = alarm_topic(SITE, *KEY)


def begin(bench: Bench) -> SiteSession:
    epoch = bench.ledger.acquire(SITE, bench.settings.worker, bench.time, bench.settings.lease_ttl)
    assert epoch is not None
    session = SiteSession(SITE, epoch, bench.parts)
    session.tick()
    return session


def settle(bench: Bench, session: SiteSession, ms: int = 200) -> None:
    bench.time += ms
    session.tick()


def receipts(bench: Bench) -> dict[str, object] | None:
    payload = bench.published().get(RECEIPT)
    return None if payload is None else json.loads(payload)
