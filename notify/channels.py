"""The ways to reach people: the log, always, and whatever Apprise URLs the configuration names.

A channel answers; it never raises for a fault of the far end, and never shows a URL, because URLs carry secrets.
`open_channels` refuses a URL that cannot work before anything is sent.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import apprise
import structlog

from domain.alarms import Priority
from domain.errors import CaretakerError
from notify.decide import Action
from notify.message import Message

_LONGEST_DETAIL = 200
_log = structlog.get_logger("notify.channels")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one message on one channel; `detail` says what went wrong."""

    delivered: bool
    detail: str = ""


class Channel(Protocol):
    """One way to reach people. `send` blocks for some seconds at most and is called from one thread."""

    @property
    def name(self) -> str:
        """As it stands in the delivery log; no secrets."""

    def send(self, message: Message) -> Answer:
        """Deliver the message, or say why not."""


class LogChannel:
    """Every message as one line of the process log: it cannot fail, and needs no configuration."""

    name = "log"

    def send(self, message: Message) -> Answer:
        """Write it down."""
        _log.info(
            "notice",
            site=message.site,
            action=str(message.action),
            priority=None if message.priority is None else str(message.priority),
            title=message.title,
            body=message.body,
        )
        return Answer(True)


class AppriseChannel:
    """One Apprise URL."""

    def __init__(self, name: str, sender: apprise.Apprise) -> None:
        self.name = name
        self._sender = sender

    def send(self, message: Message) -> Answer:
        """Deliver through Apprise, with its own time limits (4 s to connect, 4 s to read, for most services)."""
        kind = apprise.NotifyType.INFO
        if message.action is Action.PAGE:
            grave = message.priority in (Priority.HIGH, Priority.URGENT)
            kind = apprise.NotifyType.FAILURE if grave else apprise.NotifyType.WARNING
        capture = apprise.LogCapture(level=logging.WARNING, fmt="%(message)s")  # type: ignore[no-untyped-call] # untyped upstream
        with capture as said:
            try:
                delivered = bool(
                    self._sender.notify(
                        message.body, title=message.title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
                    )
                )
            except Exception as error:  # noqa: BLE001 - a plug-in of any quality must not stop the others
                return Answer(False, type(error).__name__)
            lines = said.getvalue().splitlines()
        return Answer(True) if delivered else Answer(False, (lines[0] if lines else "refused")[:_LONGEST_DETAIL])


def open_channels(urls: Sequence[str]) -> tuple[Channel, ...]:
    """The log, then one channel per URL. CaretakerError names the entry (never the URL) that Apprise does not take."""
    return LogChannel(), *_apprise(urls, "notify.channels", "")


def open_role_channels(role: str, urls: Sequence[str]) -> tuple[Channel, ...]:
    """One channel per URL of a role's own; CaretakerError as for `open_channels`."""
    return tuple(_apprise(urls, f"notify.roles.{role}", f"{role}-"))


def _apprise(urls: Sequence[str], setting: str, prefix: str) -> list[Channel]:
    channels: list[Channel] = []
    for number, url in enumerate(urls, 1):
        scheme = url.partition("://")[0] if "://" in url else "?"
        sender = apprise.Apprise()
        if not sender.add(url):
            raise CaretakerError(
                f"{setting}: entry {number} ({scheme}://…) is not a URL that Apprise can use",
                "see https://appriseit.com/services/ for the form of your service's URL, e.g. wecombot://KEY",
            )
        channels.append(AppriseChannel(f"{prefix}{scheme}-{number}", sender))
    return channels
