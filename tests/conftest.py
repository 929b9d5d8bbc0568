"""Shared by all tests: Hypothesis profiles, a real Mosquitto, a real PostgreSQL."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.broker import mosquitto_broker
from tests.postgres import Server, postgres

settings.register_profile("default", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("CARETAKER_TEST_PROFILE", "default"))


@pytest.fixture(autouse=True)
def logging_as_at_the_start() -> Iterator[None]:
    """A test that sets up logging leaves it to nobody: its stream is closed by then."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[int]:
    """A real Mosquitto that lets everybody in; its port of the loopback address."""
    with mosquitto_broker(tmp_path) as port:
        yield port


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A real PostgreSQL for all tests of the run, and no database left behind on it."""
    with postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The URL of an empty database."""
    url = postgres_server.database()
    yield url
    postgres_server.drop(url)
