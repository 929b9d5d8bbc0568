"""Which kinds of sources there are, and how one is made from its options.

The agent's own kinds are made here; `caretaker` hands over further ones (the simulated plant) as factories, so that
the edge imports none of them.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from domain.errors import CaretakerError
from domain.source import Source
from edge.sampling import Feed
from edge.sources.csv_replay import CsvReplay
from edge.sources.modbus import ModbusSource
from edge.sources.onewire import OneWireSource
from edge.tables import Table

Factory = Callable[[Mapping[str, Any]], Source]

_OWN: dict[str, Callable[[Table], Source]] = {
    "csv": CsvReplay.from_options,
    "onewire": OneWireSource.from_options,
    "modbus": ModbusSource.from_options,
}
# Their readings carry the agent's clock, so they are uncertain while it is not synchronised.
_STAMPED = ("onewire", "modbus")


def own_kinds() -> tuple[str, ...]:
    """The kinds that the agent brings along."""
    return tuple(_OWN)


def build(kind: str, options: Table, extra: Mapping[str, Factory]) -> Feed:
    """The source of that kind. InputError with the place when the kind or an option is wrong.

    A factory of `extra` gets the options without `kind`, as a plain dict; a ValueError of it is shown at the table.
    """
    if kind in _OWN:
        return Feed(_OWN[kind](options), stamped=kind in _STAMPED)
    if kind in extra:
        plain = {key: value for key, value in options.items() if key != "kind"}
        try:
            return Feed(extra[kind](plain), stamped=False)
        except (ValueError, TypeError, KeyError) as error:
            raise options.error(f"{kind} source: {error}") from error
        except CaretakerError as error:
            raise options.error(f"{kind} source: {error.message}", error.remedy) from error
    known = (*_OWN, *extra)
    near = difflib.get_close_matches(kind, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(known)}"
    raise options.error(f"there is no source of kind {kind!r}", hint, "kind")
