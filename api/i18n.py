"""The languages of the pages: gettext catalogues as `.po` text, read at start (no build step), and which one a
visitor gets.

The msgid is the English text. A missing translation shows English; a test holds that none is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from babel.messages.pofile import read_po

LANGUAGES: Mapping[str, str] = {"zh": "中文", "en": "English"}
LOCALES: Mapping[str, str] = {"zh": "zh_CN", "en": "en"}
HTML_LANG: Mapping[str, str] = {"zh": "zh-CN", "en": "en"}
COOKIE = "caretaker_language"


@dataclass(frozen=True)
class Language:
    """One language of the pages."""

    code: str
    messages: Mapping[str, str]

    @property
    def locale(self) -> str:
        """Babel's name of the locale."""
        return LOCALES[self.code]

    def gettext(self, message: str) -> str:
        """The text in this language, or the English text itself."""
        return self.messages.get(message) or message

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The text for that many; catalogues translate both forms as single messages."""
        return self.gettext(one if count == 1 else many)


@cache
def language(code: str) -> Language:
    """The language with its catalogue."""
    if code == "en":
        return Language("en", {})
    folder = resources.files("api") / "locales" / LOCALES[code] / "LC_MESSAGES"
    with (folder / "messages.po").open("rb") as file:
        catalogue = read_po(file, locale=LOCALES[code])
    return Language(code, {str(entry.id): str(entry.string) for entry in catalogue if entry.id and entry.string})


def choose(query: str | None, cookie: str | None, accept: str | None, default: str) -> str:
    """The language of a request: what it asks for, what was chosen before, what the browser prefers, the default."""
    for wish in (query, cookie):
        if wish is not None and wish in LANGUAGES:
            return wish
    for tag in _preferences(accept or ""):
        code = tag.partition("-")[0]
        if code in LANGUAGES:
            return code
    return default


def _preferences(accept: str) -> list[str]:
    weighted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept.split(",")[:20]):
        tag, _, parameters = part.strip().lower().partition(";")
        try:
            weight = float(parameters.partition("q=")[2]) if "q=" in parameters else 1.0
        except ValueError:
            continue
        if tag and weight > 0:
            weighted.append((-weight, place, tag))
    return [tag for _, _, tag in sorted(weighted)]


def mark(message: str) -> str:
    """The text itself: marks a message for extraction where it is translated later."""
    return message
