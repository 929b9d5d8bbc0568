"""What a session of one site works with: handed to it by the process, the same for all of its sites."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.ports import Judge, Ledger
from ingest.link import Link
from ingest.mailbox import Mailbox
from ingest.metrics import Counters
from ingest.settings import IngestSettings


@dataclass(frozen=True, slots=True)
class Parts:
    """What every session of a process works with. `pause` waits so many ms, and is False when the process stops."""

    settings: IngestSettings
    ledger: Ledger
    make_judge: Callable[[str], Judge]
    clock: Callable[[], int]
    pause: Callable[[int], bool]
    link: Link
    mailbox: Mailbox
    counters: Counters
    disk_free: Callable[[], int | None] = lambda: None  # bytes on the disk of the operational store; None = unknown
