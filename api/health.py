"""Whether the installation does its work, for supervisors and load balancers: live (the process) and ready (the
whole).
"""

from collections.abc import Callable

from api import models
from api.operations import Operations
from api.settings import ApiSettings
from domain.errors import CaretakerError
from domain.times import format_duration

INGEST = "ingest"
_PROBE = "health/probe"


def readiness(operations: Operations, settings: ApiSettings) -> models.Ready:
    """Both stores answer, and ingest gave a sign of life lately. Never raises: what fails is said in the check."""
    checks = [
        _checked("operational store", lambda: _operational(operations)),
        _checked("series store", lambda: _series(operations)),
        _checked("ingest", lambda: _ingest(operations, settings)),
    ]
    return models.Ready(status="ok" if all(check.ok for check in checks) else "failing", checks=checks)


def _checked(name: str, probe: Callable[[], str]) -> models.Check:
    try:
        return models.Check(name=name, ok=True, detail=probe())
    except CaretakerError as error:
        return models.Check(name=name, ok=False, detail=error.message)
    except Exception as error:  # noqa: BLE001 - whatever the store's driver raises is the finding
        return models.Check(name=name, ok=False, detail=f"{type(error).__name__}: {error}")


def _operational(operations: Operations) -> str:
    return f"{len(operations.console.sites())} sites"


def _series(operations: Operations) -> str:
    now = operations.clock()
    site = next(iter(operations.console.sites()), "none")
    operations.series.read(site, _PROBE, now, now + 1, 1)
    return "readable"


def _ingest(operations: Operations, settings: ApiSettings) -> str:
    beats = [row.beat_at for row in operations.processes() if row.name == INGEST or row.name.startswith(f"{INGEST}-")]
    if not beats:
        raise CaretakerError("ingest never gave a sign of life: start it with caretaker up (or caretaker ingest)")
    age = operations.clock() - max(beats)
    if age > settings.ingest_silent_after:
        raise CaretakerError(f"ingest gave its last sign of life {format_duration(age // 1000 * 1000)} ago")
    return "alive"
