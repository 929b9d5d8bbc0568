"""Rule and site files named on a command line: `pack:NAME` or a path, read and parsed, with every mistake placed.

Light on purpose: a backtest must not pay for settings, stores and web before it reads the first row.
"""

from collections.abc import Sequence
from pathlib import Path

from domain.catalogue import Catalogue
from domain.catalogue_file import load_catalogue
from domain.errors import InputError, Place
from rules.loading import load_documents
from rules.model import RuleSet
from rules.packs import PREFIX, load_pack_text


def read_document(name: str) -> tuple[str, str]:
    """Name and text of the rule file or pack. InputError or CaretakerError when there is none."""
    if name.startswith(PREFIX):
        return name, load_pack_text(name.removeprefix(PREFIX))
    return name, read_utf8(Path(name))


def load_rule_files(names: Sequence[str]) -> RuleSet:
    """The rules of all these files and packs as one set. InputError with file and line."""
    return load_documents([read_document(name) for name in names])


def load_site_file(path: Path) -> Catalogue:
    """The catalogue of a site's file. InputError with file and line."""
    return load_catalogue(read_utf8(path), str(path))


def read_utf8(path: Path) -> str:
    """The file's text. InputError when it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        remedy = "check the path, or write pack:NAME for a pack (caretaker rules packs lists them)"
        raise InputError(Place(str(path)), f"cannot be read: {error.strerror}", remedy) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(Place(str(path), line), "the file is not UTF-8", "save it as UTF-8") from None
