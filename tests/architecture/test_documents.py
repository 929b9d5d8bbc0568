"""The documents are complete and up to date: generated parts, settings, commands, links."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from caretaker.cli import COMMANDS, GROUPS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([
    *DOCS.glob("*.md"), *(DOCS / "decisions").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md",
    ROOT / "deploy" / "README.md",
])  # fmt: skip


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_up_to_date() -> None:
    module = generator()
    for (page, part), make in module.PARTS.items():
        text = (DOCS / page).read_text(encoding="utf-8")
        assert module.updated(text, part, make()) == text, f"docs/{page} is out of date: run make docs"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        generator().updated("text", "diagram", iter(["x"]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_is_in_the_documents() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for command in (*COMMANDS, *GROUPS):
        assert f"caretaker {command}" in text, command


def test_decision_records_are_numbered_once_and_say_their_status() -> None:
    records = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [record.name[:4] for record in records]
    assert len(numbers) == len(set(numbers))
    for record in records:
        assert "Status:" in record.read_text(encoding="utf-8"), record.name


def test_the_readme_names_exactly_two_set_up_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bmake [a-z]+", text)) == {"make demo", "make test"}
