"""The agent that most stories are about."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.edge.agent_rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.outbox.close()
