"""Writes what the documents take from the code: the lifecycle's diagram and table, and the list of settings.

`make docs` runs it; `tests/architecture/test_documents.py` fails when a page is out of date.
"""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from caretaker.settings import Settings
from domain.lifecycle import ANYWHERE, LAYS, LIFTS, TABLE

DOCS = Path(__file__).parent
BEGIN, END = "<!-- generated: {} -->", "<!-- end of generated: {} -->"
# Which guard chooses the second target of an event.
_GUARDS = {"clear": "latching", "raise": "no answer required", "step_up": "no answer required",
           "past_raise": "no answer required"}  # fmt: skip


def lifecycle_diagram() -> Iterator[str]:
    """A Mermaid state diagram of `domain.lifecycle.TABLE`."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    [*] --> normal"
    for source, event, target, guard in _rows():
        label = event + (f" [{guard}]" if guard else "")
        yield f"    {_node(source)} --> {_node(target)}: {label}"
    yield "```"


def lifecycle_table() -> Iterator[str]:
    """The same as a table, for readers without Mermaid."""
    yield "| in state | event | leads to | when |"
    yield "|---|---|---|---|"
    for source, event, target, guard in _rows():
        yield f"| {source} | `{event}` | {target} | {guard} |"
    yield ""
    lays = ", ".join(f"`{event}` ({kind})" for event, kind in LAYS.items())
    lifts = ", ".join(f"`{event}`" for event in LIFTS)
    yield f"Over every state an overlay can be laid by {lays}, and lifted by {lifts}."
    yield "What comes from under its last overlay while the condition still holds is unacknowledged again."
    yield f"In every state, and without changing it: {', '.join(f'`{event}`' for event in ANYWHERE)}."


def settings_table() -> Iterator[str]:
    """Every setting with its variable, default and meaning."""
    yield "| setting | variable | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in Settings.model_fields.items():
        part = field.annotation
        inner = getattr(part, "model_fields", None)
        if inner is None:
            yield _setting(name, field.default, field.description or "")
            continue
        for key, inner_field in inner.items():
            yield _setting(f"{name}.{key}", inner_field.default, inner_field.description or "")


def _setting(name: str, default: object, description: str) -> str:
    variable = "CARETAKER_" + name.replace(".", "__").upper()
    shown = list(default) if isinstance(default, tuple) else default
    return f"| `{name}` | `{variable}` | `{shown}` | {description} |"


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for (source, event), targets in TABLE.items():
        if event in ANYWHERE:
            continue
        yield source, event, targets[0], ""
        if len(targets) > 1 and targets[1] is not targets[0]:
            yield source, event, targets[1], _GUARDS[event]


def _node(state: str) -> str:
    return state.replace("-", "_")


def rule_pictures() -> ModuleType:
    """The module that draws the pictures of conditions; it stands beside this one, which is no package."""
    spec = importlib.util.spec_from_file_location("docs_rule_pictures", DOCS / "rule_pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def rule_pictures_list() -> Iterator[str]:
    """The pictures of docs/rules.md with the rule of each."""
    yield from rule_pictures().pictures_list()


PARTS = {
    ("rules.md", "pictures"): rule_pictures_list,
    ("lifecycle.md", "diagram"): lifecycle_diagram,
    ("lifecycle.md", "table"): lifecycle_table,
    ("settings.md", "settings"): settings_table,
}


def updated(text: str, part: str, lines: Iterator[str]) -> str:
    """The page's text with the generated part put in between its marks. ValueError when the marks are missing."""
    begin, end = BEGIN.format(part), END.format(part)
    head, found, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"the marks {begin!r} and {end!r} are missing")
    return f"{head}{begin}\n{chr(10).join(lines)}\n{end}{tail}"


def main() -> int:
    """Write every generated part, and the pictures."""
    rule_pictures().draw()
    for (page, part), make in PARTS.items():
        path = DOCS / page
        path.write_text(updated(path.read_text(encoding="utf-8"), part, make()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
