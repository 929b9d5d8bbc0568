"""What the documents tell a newcomer to do can be done: commands with these options, anchors, make targets, files."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from caretaker.cli import build

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "deploy" / "README.md"])
RECORDS = sorted((DOCS / "decisions").glob("*.md"))
FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists())
NAMED_FOLDERS = "|".join([*FOLDERS, "tests", "docs", "examples", "deploy", r"\.ci"])
TOPICS = "caretaker/1/"  # of MQTT
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def code(page: Path) -> Iterator[str]:
    """Each line of a page's code blocks, and each piece of code within its text."""
    text = page.read_text(encoding="utf-8")
    for block in FENCE.findall(text):
        yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`([^`]+)`", FENCE.sub("", text))


def commands(page: Path) -> Iterator[list[str]]:
    """The words after `caretaker` of each command of the page, without comments and brackets."""
    for line in code(page):
        found = re.match(r"(?:|.*[\s/])caretaker ((?!caretaker\b)[a-z].*)", " ".join(line.split()))
        if found:
            words = re.sub(r"[\[\]…]", " ", found[1]).split(" #")[0].split(" | ")[0].split(" > ")[0]
            yield shlex.split(words)


@cache
def program() -> Any:
    return typer.main.get_command(build())


def complaint(words: list[str]) -> str:
    """What is wrong with that command; empty when its name and all of its options exist."""
    command = program()
    rest = list(words)
    while hasattr(command, "commands"):
        if not rest or rest[0] not in command.commands:
            return "" if command.callback and command.invoke_without_command else f"no command {words}"
        command = command.commands[rest.pop(0)]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    return ", ".join(f"no {word}" for word in rest if word.startswith("--") and word.split("=")[0] not in known)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: list[str] = []
    for title in re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower().strip()).replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return set(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_shown_exists_with_these_options(page: Path) -> None:
    assert {" ".join(words): complaint(words) for words in commands(page) if complaint(words)} == {}


def test_a_command_or_an_option_that_does_not_exist_is_found() -> None:
    assert complaint(["site", "aply", "x.yaml"])
    assert complaint(["quality", "school", "--weeks", "7"]) == "no --weeks"
    assert complaint(["quality", "school", "--days", "7", "--format=json"]) == ""
    assert sum(1 for page in PAGES for _ in commands(page)) > 100


@pytest.mark.parametrize("page", [*PAGES, *RECORDS], ids=lambda page: page.name)
def test_links_into_a_page_lead_to_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            there = page.parent / target if target else page
            assert anchor in anchors(there), f"{page.name} links to {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    path = rf"(?<![\w/.:-])(?!{TOPICS})(?:{NAMED_FOLDERS})/[\w./*-]+"
    named = {word for piece in code(page) for word in re.findall(path, piece)}
    assert [name for name in sorted(named) if not any(ROOT.glob(name.rstrip("./")))] == []


def test_every_make_target_and_module_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        for piece in code(page):
            assert set(re.findall(r"(?:^|\s)make ([a-z-]+)", piece.split(" #")[0])) <= targets, f"{page.name}: {piece}"
            for module in re.findall(r"python -m ((?:tests|caretaker)[\w.]*)", piece):
                place = ROOT / module.replace(".", "/")
                assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), f"{page.name}: {piece}"
