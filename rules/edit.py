"""A rule changed in the text of its file: numbers, delays and priority by name, or the whole rule; nothing else moves.

For a person who changes a limit on the page. The file stays the person's own: comments, order and all other rules are
kept to the letter, because only the words that change are replaced where they stand. It decides what can be changed in
a form (`fields_of`: every number and length of time of the condition, the delays, the priority); whether a change is
allowed is `rules.guard`'s. Pure: texts in, texts out.

    documents = with_values(documents, "cold-storage-high", {"on_delay": "45min", "condition.above": "7.5"})
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.alarms import Priority
from domain.documents import Node, load_document
from domain.errors import CaretakerError, InputError, NotFoundError
from domain.times import parse_duration
from rules.loading import load_documents
from rules.model import RuleSet

OWN = "own.yaml"  # the document that rules of the site's own are added to

Documents = Sequence[tuple[str, str]]


class Kind(StrEnum):
    """What a field holds."""

    NUMBER = "number"
    DURATION = "duration"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a rule that a form may change.

    `name` says where it stands in the rule (`condition.above`, `levels.1.on_delay`), `level` which level it belongs to,
    `text` what stands there now (empty where nothing does).
    """

    name: str
    kind: Kind
    level: int
    text: str

    @property
    def word(self) -> str:
        """The last word of its place: what it is called in a rule file."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Written:
    """A rule as it stands in its file: its text, moved to the left edge, and what a form may change of it, in order."""

    text: str
    fields: tuple[Field, ...]


def written(documents: Documents) -> dict[str, Written]:
    """Every rule of the documents by id. InputError for what is not YAML."""
    return {found.rule: Written(_text(found), tuple(_fields(found.node))) for found in _each(documents)}


def suggested(fields: Sequence[Field], change: str) -> dict[str, str]:
    """The fields that a suggestion (`on_delay 45min`, as in `rules.suggest`) sets; empty for what is none."""
    word, _, value = change.partition(" ")
    if word in ("on_delay", "off_delay"):
        return {field.name: value for field in fields if field.word == word and field.level == 0}
    if word != "deadband":
        return {}
    return {field.name: value for field in fields if field.word == word and float(field.text or 0) < float(value)}


def with_values(documents: Documents, rule: str, values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The documents with these fields of the rule changed; one that is empty, and stood nowhere, stays away.

    InputError when the file is wrong then; CaretakerError for a field that the rule does not have.
    """
    known = {field.name: field for field in _fields(_find(documents, rule).node)}
    for name in values:
        if name not in known:
            raise CaretakerError(f"the rule {rule!r} has no value {name!r}", f"it has: {', '.join(known)}")
    changed = tuple(documents)
    for name, wanted in values.items():
        new = _plain(wanted, known[name])
        if new is not None:
            changed = _put(changed, rule, name, new)
    return _checked(documents, changed, rule)


def with_rule(documents: Documents, rule: str, text: str) -> tuple[tuple[str, str], ...]:
    """The documents with the rule written anew. InputError when the file is wrong then, or other rules would change."""
    found = _find(documents, rule)
    first = found.text.rfind("\n", 0, found.start) + 1
    indent = " " * (found.start - first)
    lines = text.strip("\r\n").replace("\r\n", "\n").rstrip().split("\n")
    block = "\n".join([lines[0], *(indent + line if line.strip() else "" for line in lines[1:])])
    return _checked(documents, _replaced(documents, found, found.start, found.end, block), rule)


def with_added(documents: Documents, text: str) -> tuple[tuple[str, str], ...]:
    """The documents with one more rule, at the end of the site's own file. InputError when it cannot be read."""
    lines = text.strip("\r\n").replace("\r\n", "\n").rstrip().split("\n")
    first, *rest = [line.removeprefix("- ") if number == 0 else line for number, line in enumerate(lines)]
    moved = 4 if lines[0] == first else 2  # a rule that was written as an entry of a list is indented already
    block = "\n".join([f"  - {first}", *(" " * moved + line if line.strip() else "" for line in rest)])
    present = dict(documents).get(OWN, "rules:\n")
    at = len(present.rstrip("\n"))
    if OWN in dict(documents):
        at = max(_end(present, node) for node in load_document(present, OWN).entries()["rules"].items())
    added = (OWN, f"{present[:at]}\n{block}\n{present[at:].removeprefix(chr(10))}")
    changed = (*(one for one in documents if one[0] != OWN), added)
    load_documents(changed)
    return changed


@dataclass(frozen=True, slots=True)
class _Found:
    """A rule in its document: `start` and `end` of its text."""

    rule: str
    name: str
    text: str
    node: Node
    start: int
    end: int


def _each(documents: Documents) -> Iterator[_Found]:
    for name, text in documents:
        for node in load_document(text, name).entries()["rules"].items():
            yield _Found(node.entries()["id"].text(), name, text, node, node.span[0], _end(text, node))


def _find(documents: Documents, rule: str) -> _Found:
    for found in _each(documents):
        if found.rule == rule:
            return found
    raise NotFoundError(f"there is no rule {rule!r}", "list them: /rules")


def _text(found: _Found) -> str:
    first = found.text.rfind("\n", 0, found.start) + 1
    indent = found.start - first
    lines = found.text[found.start : found.end].split("\n")
    return "\n".join([lines[0], *(line[indent:] if not line[:indent].strip() else line for line in lines[1:])])


def _fields(node: Node) -> Iterator[Field]:
    entries = node.entries()
    if "levels" not in entries:
        yield from _level_fields("", node, 0)
        return
    for number, level in enumerate(entries["levels"].items()):
        yield from _level_fields(f"levels.{number}.", level, number)


def _end(text: str, node: Node) -> int:
    """Where the rule's text ends: with its last line, or with its bracket, because what follows belongs to others."""
    last = len(text[: node.last].rstrip())
    end = text.find("\n", last)
    return last if node.is_flow else len(text) if end < 0 else end


def _level_fields(path: str, node: Node, level: int) -> Iterator[Field]:
    """Of a level, or of a rule without levels: the condition's values, then the delays, then the priority."""
    entries = node.entries()
    where = f"{path}condition." if "condition" in entries else path
    inside = entries["condition"].entries() if "condition" in entries else entries
    for key, value in inside.items():
        if key not in ("on_delay", "off_delay", "priority", "deadband"):
            yield from _leaves(f"{where}{key}", value, level)
    if "above" in inside or "below" in inside:
        yield _field(f"{where}deadband", inside, Kind.NUMBER, level)
    if "no_data" not in inside:
        yield _field(f"{path}on_delay", entries, Kind.DURATION, level)
        yield _field(f"{path}off_delay", entries, Kind.DURATION, level)
    yield _field(f"{path}priority", entries, Kind.PRIORITY, level)


def _field(name: str, entries: Mapping[str, Node], kind: Kind, level: int) -> Field:
    word = name.rpartition(".")[2]
    return Field(name, kind, level, entries[word].text() if word in entries else "")


def _leaves(path: str, node: Node, level: int) -> Iterator[Field]:
    """Every number and length of time under the node."""
    if node.is_mapping:
        for key, value in node.entries().items():
            yield from _leaves(f"{path}.{key}", value, level)
    elif node.is_list:
        for number, value in enumerate(node.items()):
            yield from _leaves(f"{path}.{number}", value, level)
    else:
        kind = _kind(node)
        if kind is not None:
            yield Field(path, kind, level, node.text())


def _kind(node: Node) -> Kind | None:
    value = node.scalar()
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return Kind.NUMBER
    try:
        parse_duration(value)
    except ValueError:
        return None
    return Kind.DURATION


def _plain(wanted: str, field: Field) -> str | None:
    """What to write; None when it is what stands there. CaretakerError for what is no number, length or priority."""
    new = wanted.strip()
    if new == field.text:
        return None
    if not new and (field.kind is Kind.DURATION or field.word == "deadband"):
        new = "0s" if field.kind is Kind.DURATION else "0"
    try:
        if field.kind is Kind.NUMBER:
            new = f"{float(new.replace(',', '.')):.10g}"
        elif field.kind is Kind.DURATION:
            parse_duration(new)
        else:
            new = Priority(new).value
    except ValueError:
        raise CaretakerError(f"{field.name}: {wanted!r} is no {field.kind}", _REMEDIES[field.kind]) from None
    return new


_REMEDIES = {
    Kind.NUMBER: "write a number such as 8 or 7.5",
    Kind.DURATION: "write a length such as 30min, 90s or 1h30min",
    Kind.PRIORITY: f"one of: {', '.join(Priority)}",
}


def _put(documents: Documents, rule: str, name: str, new: str) -> tuple[tuple[str, str], ...]:
    found = _find(documents, rule)
    *path, word = name.split(".")
    parent = found.node
    for step in path:
        parent = list(parent.items())[int(step)] if step.isdigit() and parent.is_list else parent.entries()[step]
    if parent.is_list:
        start, end = list(parent.items())[int(word)].span
        return _replaced(documents, found, start, end, new)
    entries = parent.entries()
    if word in entries:
        start, end = entries[word].span
        return _replaced(documents, found, start, end, new)
    # Beside what it belongs to: a deadband after its limit, a delay before the priority.
    beside = next(key for key in ("above", "below", "priority") if key in entries)
    if parent.is_flow:
        at = entries[beside].span[1]
        return _replaced(documents, found, at, at, f", {word}: {new}")
    at = entries[beside].key_span[0]
    indent = " " * (at - found.text.rfind("\n", 0, at) - 1)
    return _replaced(documents, found, at, at, f"{word}: {new}\n{indent}")


def _replaced(documents: Documents, found: _Found, start: int, end: int, new: str) -> tuple[tuple[str, str], ...]:
    text = found.text[:start] + new + found.text[end:]
    return tuple((name, text if name == found.name else old) for name, old in documents)


def _checked(before: Documents, after: tuple[tuple[str, str], ...], rule: str) -> tuple[tuple[str, str], ...]:
    """`after`, when it can be read and nothing but the rule is another."""
    old, new = load_documents(before), load_documents(after)
    others = [name for name in {**old.rules, **new.rules} if name != rule and _differs(old, new, name)]
    if others or old.incidents != new.incidents:
        place = new.places.get(rule) or old.places[rule]
        raise InputError(
            place, f"the change would touch more than {rule!r}: {', '.join(others) or 'incidents'}",
            "keep the rule's id and its indentation, and change one rule at a time",
        )  # fmt: skip
    return after


def _differs(old: RuleSet, new: RuleSet, name: str) -> bool:
    return old.rules.get(name) != new.rules.get(name)
