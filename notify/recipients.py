"""Whose channel is whose: the common ones, and those of a role's own.

A role without channels of its own is reached on the common ones; its name stands in the message then. It decides
nothing about alarms: who is told at once and who later is in the rule (`escalate`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from notify.channels import Channel

Escalations = Callable[[str, str], Sequence[tuple[str, int]]]  # (site, rule) -> role and after how long (ms)


@dataclass(frozen=True)
class Recipients:
    """`common` channels get every message; `own`: role -> its channels."""

    common: tuple[Channel, ...]
    own: Mapping[str, tuple[Channel, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def at_once(self, roles: Iterable[str]) -> tuple[Channel, ...]:
        """The channels of a message that these roles are told at once: the common ones, and theirs; each once."""
        return _each((*self.common, *(channel for role in roles for channel in self.own.get(role, ()))))

    def later(self, roles: Iterable[str]) -> tuple[Channel, ...]:
        """The channels of a message for these roles alone: their own, the common ones for a role that has none."""
        return _each(channel for role in roles for channel in self.own.get(role, ()) or self.common)


def _each(channels: Iterable[Channel]) -> tuple[Channel, ...]:
    return tuple({channel.name: channel for channel in channels}.values())
