"""Fixtures of the stories: a folder in memory where the machine has one, and paths that are closed afterwards."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.scenarios.path import WholePath

MEMORY = Path("/dev/shm")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of virtual minutes say a lot."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.configure(**before)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """No power fails here, so nothing need reach a disk: what waits for one would take most of the time."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="caretaker-") as name:
        yield Path(name)


@pytest.fixture
def whole_path(folder: Path) -> Iterator[Callable[..., WholePath]]:
    made: list[WholePath] = []

    def make(start: int, **how: Any) -> WholePath:
        made.append(WholePath(folder / str(len(made)), start, **how))
        return made[-1]

    yield make
    for path in made:
        path.close()
