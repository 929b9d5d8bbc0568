"""Rule packs: rules that come with the product, as files beside the code.

A pack is an ordinary rule file; its leading comment says whom it is for and why its delays are what they are. Reading
them is reading package data; nothing else is opened here.
"""

import difflib
from functools import cache
from importlib.resources import files

from domain.errors import CaretakerError
from rules.loading import load_rules
from rules.model import RuleSet

PREFIX = "pack:"  # how a pack is named where a file name could stand


def pack_names() -> tuple[str, ...]:
    """The packs that there are, in alphabetical order."""
    found = (entry.name for entry in (files("rules") / "packs").iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


@cache
def load_pack_text(name: str) -> str:
    """The YAML text of the pack. CaretakerError when there is none of that name."""
    names = pack_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        raise CaretakerError(
            f"there is no rule pack {name!r}", f"did you mean {near[0]!r}?" if near else f"packs: {', '.join(names)}"
        )
    return (files("rules") / "packs" / f"{name}.yaml").read_text(encoding="utf-8")


def load_pack(name: str) -> RuleSet:
    """The rules of the pack. CaretakerError when there is none of that name."""
    return load_rules(load_pack_text(name), PREFIX + name)


def pack_summary(name: str) -> str:
    """What the pack is for: the first line of its leading comment."""
    return load_pack_text(name).partition("\n")[0].removeprefix("#").strip()
