"""YAML documents that remember their lines, so that every complaint says file, line and remedy.

`load_document` gives a `Node`; whoever reads a file format walks it with the typed accessors below, each of which
raises `InputError` at the node's own place. Duplicate keys and unknown keys are errors, with the nearest known word
suggested. Pure: text in, nodes out; the caller reads the file. Not for the edge (it has no YAML).
"""

import difflib
import math
from collections.abc import Iterator
from typing import Any

import yaml

from domain.errors import InputError, Place
from domain.times import parse_duration, parse_time

Scalar = str | int | float | bool | None


class Node:
    """A value of a document with its place; `path` is how to reach it, e.g. `rules[2].condition`."""

    def __init__(self, raw: yaml.Node, file: str, path: str, key: yaml.Node | None = None) -> None:
        self._raw = raw
        self.path = path
        self.place = _place(raw, file)
        self.key_place = self.place if key is None else _place(key, file)
        self.key_span = _span(raw if key is None else key)

    @property
    def span(self) -> tuple[int, int]:
        """Where its text begins and ends, in characters of the document. The end of lines `key: value` and of lists
        with dashes is that of the next thing after them: see `last`."""
        return _span(self._raw)

    @property
    def last(self) -> int:
        """Where the text of its last value ends."""
        inner: yaml.Node = self._raw
        while isinstance(inner, yaml.CollectionNode) and not inner.flow_style and inner.value:
            inner = inner.value[-1][1] if isinstance(inner, yaml.MappingNode) else inner.value[-1]
        return _span(inner)[1]

    @property
    def is_flow(self) -> bool:
        """Whether it is written between brackets."""
        return isinstance(self._raw, yaml.CollectionNode) and bool(self._raw.flow_style)

    def error(self, message: str, remedy: str = "") -> InputError:
        """The error to raise about this node; the message is prefixed with the node's path."""
        return InputError(self.place, f"{self.path}: {message}" if self.path else message, remedy)

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping (`key: value`)."""
        return isinstance(self._raw, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self._raw, yaml.SequenceNode)

    def fields(self, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> dict[str, "Node"]:
        """The mapping's entries; unknown, missing and repeated keys are errors."""
        entries = self.entries()
        known = (*required, *optional)
        for key, node in entries.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
                raise InputError(node.key_place, f"{node.path}: unknown key {key!r}", hint)
        for key in required:
            if key not in entries:
                raise self.error(f"{key!r} is missing", f"add a line '{key}: …' here")
        return entries

    def entries(self) -> dict[str, "Node"]:
        """The mapping's entries with any keys (as text), in the file's order."""
        if not isinstance(self._raw, yaml.MappingNode):
            raise self.error(f"expected 'key: value' lines, found {_kind(self._raw)}")
        found: dict[str, Node] = {}
        for key_node, value_node in self._raw.value:
            key = str(key_node.value)
            child = Node(value_node, self.place.file, f"{self.path}.{key}" if self.path else key, key_node)
            if key in found:
                raise InputError(child.key_place, f"{child.path}: the key stands here twice")
            found[key] = child
        return found

    def items(self) -> Iterator["Node"]:
        """The list's entries."""
        if not isinstance(self._raw, yaml.SequenceNode):
            raise self.error(f"expected a list, found {_kind(self._raw)}", "write each entry on a line with '- '")
        for number, child in enumerate(self._raw.value):
            yield Node(child, self.place.file, f"{self.path}[{number}]")

    def scalar(self) -> Scalar:
        """The plain value. Dates stay texts."""
        if not isinstance(self._raw, yaml.ScalarNode):
            raise self.error(f"expected one value, found {_kind(self._raw)}")
        try:
            value: Any = _Loader("").construct_object(self._raw)
        except (yaml.YAMLError, ValueError, KeyError, AttributeError):  # what the types of its tags raise
            raise self.error(f"{self._raw.value!r} is no {self._raw.tag}", "leave out the word with '!'") from None
        return value if isinstance(value, str | int | float | bool) or value is None else str(self._raw.value)

    def text(self, *, one_of: tuple[str, ...] = ()) -> str:
        """A text; with `one_of`, one of these."""
        value = self.scalar()
        # YAML reads 1, 0.5, on, off and null as other things than texts; a name may be any of them.
        text = str(self._raw.value) if not isinstance(value, str) else value
        if one_of and text not in one_of:
            near = difflib.get_close_matches(text, one_of, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of: {', '.join(one_of)}"
            raise self.error(f"{text!r} is not known here", hint)
        return text

    def number(self) -> float:
        """A finite number."""
        value = self.scalar()
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error(f"{self._raw.value!r} is not a number")
        return float(value)

    def integer(self, *, least: int | None = None) -> int:
        """A whole number, at least `least`."""
        value = self.number()
        if value != int(value) or (least is not None and value < least):
            raise self.error(f"{self._raw.value!r} is not a whole number" + ("" if least is None else f" >= {least}"))
        return int(value)

    def boolean(self) -> bool:
        """True or false."""
        value = self.scalar()
        if not isinstance(value, bool):
            raise self.error(f"{self._raw.value!r} is neither true nor false")
        return value

    def duration(self) -> int:
        """Milliseconds of a text such as `30min`."""
        value = self.scalar()
        try:
            return parse_duration(value if isinstance(value, int | float | str) else str(self._raw.value))
        except ValueError as error:
            raise self.error(str(error)) from None

    def moment(self, start: int | None = None) -> int:
        """UTC ms of an RFC 3339 time or of epoch milliseconds; with a `start` (UTC ms) also of `30min` after it."""
        text = self.text()
        try:
            return parse_time(text)
        except ValueError as error:
            if start is None:
                raise self.error(str(error)) from None
        try:
            return start + parse_duration(text)
        except ValueError:
            raise self.error(
                f"{text!r} is neither a time after the start nor a moment",
                "write 30min, 1d6h, or 2026-03-01T08:30:00Z",
            ) from None

    def texts(self) -> tuple[str, ...]:
        """A text or a list of texts, as a tuple."""
        return tuple(item.text() for item in self.items()) if self.is_list else (self.text(),)


class _Loader(yaml.SafeLoader):
    """YAML without its guesses about dates, octal and `on`/`off`: only true/false are booleans."""


class _QuickLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # if PyYAML has libyaml
    """The same in C; a text that it does not read is read again by the other, whose words are better."""


_Loader.yaml_implicit_resolvers = _QuickLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:timestamp",)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if first not in "yYnNoO"
}


def _place(raw: yaml.Node, file: str) -> Place:
    return Place(file, raw.start_mark.line + 1, raw.start_mark.column + 1)


def _span(raw: yaml.Node) -> tuple[int, int]:
    return raw.start_mark.index, raw.end_mark.index


def _kind(raw: yaml.Node) -> str:
    return {"mapping": "'key: value' lines", "sequence": "a list"}.get(
        str(getattr(raw, "id", "")), f"the value {raw.value!r}"
    )


def load_document(text: str, file: str) -> Node:
    """The root of the one YAML document in `text`. InputError when it is not YAML, empty, or has several documents."""
    try:
        root = _composed(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        raise InputError(place, f"not YAML: {error.problem}", "check indentation, colons and quotes there") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(Place(file), f"not YAML: {error}") from None
    if root is None:
        raise InputError(Place(file, 1), "the file is empty")
    return Node(root, file, "")


def _composed(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_QuickLoader)
    except (yaml.YAMLError, ValueError):
        return yaml.compose(text, Loader=_Loader)
