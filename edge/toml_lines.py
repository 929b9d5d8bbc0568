"""Where each value of a TOML file stands, so that an error can name its line; `tomllib` keeps no places.

`tomllib` decides what the text means and whether it is TOML at all. This module walks over a text that it has already
accepted and notes the line of every key and list item, by path: `("source", 0, "register", 2, "type")`.
"""

import re
from collections.abc import Iterator

Path = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE = re.compile(r"[^,\]}#\r\n]+")
_DELIMITERS = ('"""', "'''", '"', "'")


class _Walker:
    """A cursor over the text; `lines` is what it found. Only for text that `tomllib` has accepted."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._line_index = 0
        self.lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}

    def walk(self) -> dict[Path, int]:
        table: Path = ()
        while self._skip_space():
            if self._text.startswith("[[", self._at):
                table = self._list_header()
            elif self._text[self._at] == "[":
                line = self._line()
                self._at += 1
                table = self._resolve(tuple(self._key()))
                self._expect("]")
                self.lines.setdefault(table, line)
            else:
                self._pair(table)
        return self.lines

    def _list_header(self) -> Path:
        line = self._line()
        self._at += 2
        names = tuple(self._key())
        self._expect("]")
        self._expect("]")
        path = (*self._resolve(names[:-1]), names[-1])
        number = self._counts.get(path, 0)
        self._counts[path] = number + 1
        self.lines.setdefault(path, line)
        self.lines[(*path, number)] = line
        return (*path, number)

    def _resolve(self, names: tuple[str, ...]) -> Path:
        """A header's name as a path: a list of tables stands for its newest entry."""
        path: Path = ()
        for name in names:
            path = (*path, name)
            self.lines.setdefault(path, self._line())
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for name in self._key():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._expect("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_space()
        first = self._text[self._at]
        if first == "[":
            self._members(path, "]")
        elif first == "{":
            self._members(path, "}")
        elif first in ('"', "'"):
            self._string()
        else:
            match = _PLAIN_VALUE.match(self._text, self._at)
            self._at = match.end() if match else self._at + 1

    def _members(self, path: Path, closing: str) -> None:
        self._at += 1
        number = 0
        while self._skip_space() and self._text[self._at] != closing:
            if self._text[self._at] == ",":
                self._at += 1
            elif closing == "}":
                self._pair(path)
            else:
                self.lines[(*path, number)] = self._line()
                self._value((*path, number))
                number += 1
        self._at += 1

    def _key(self) -> Iterator[str]:
        while self._skip_space():
            if self._text[self._at] in ('"', "'"):
                yield self._string()
            else:
                match = _BARE_KEY.match(self._text, self._at)
                if match is None:
                    return
                self._at = match.end()
                yield match[0]
            self._skip_space()
            if self._text[self._at : self._at + 1] != ".":
                return
            self._at += 1

    def _string(self) -> str:
        mark = next(mark for mark in _DELIMITERS if self._text.startswith(mark, self._at))
        start = self._at + len(mark)
        end = start
        while end < len(self._text) and not self._text.startswith(mark, end):
            end += 2 if self._text[end] == "\\" and mark[0] == '"' else 1
        self._at = end + len(mark)
        while len(mark) == 3 and self._text.startswith(mark[0], self._at):
            self._at += 1  # a multi-line string may end in one or two quotes of its own
        return self._text[start:end]

    def _expect(self, mark: str) -> None:
        self._skip_space()
        if self._text.startswith(mark, self._at):
            self._at += len(mark)

    def _skip_space(self) -> bool:
        """Move over blanks, line ends and comments; whether anything is left."""
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == "#":
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end
            elif char in " \t\r\n":
                self._at += 1
            else:
                return True
        return False

    def _line(self) -> int:
        while self._line_index < len(self._breaks) and self._breaks[self._line_index] < self._at:
            self._line_index += 1
        return self._line_index + 1


def line_numbers(text: str) -> dict[Path, int]:
    """The 1-based line of every key, table and list item of a TOML text that `tomllib` has accepted."""
    return _Walker(text).walk()


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of the path, or of the nearest table around it; 0 when not even that is known."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 0)
