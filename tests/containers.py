"""Servers in containers, for tests: only where a Docker engine answers and already has the image; nothing is pulled.

`tests/images/build` makes such images from Debian's packages and prints the variables that name them. What a test
starts here it removes, also when it fails, so Ryuk, testcontainers' own cleaner, is not needed.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import pytest


@cache
def engine_has(image: str) -> bool:
    """Whether a Docker engine answers and has the image. Asked once in a run; fails when a container was promised."""
    docker = shutil.which("docker")
    # Asked through the command: the library leaves sockets open when no engine answers.
    command = [str(docker), "image", "inspect", image]
    found = docker is not None and subprocess.run(command, capture_output=True).returncode == 0
    if not found and os.environ.get("CARETAKER_TEST_REQUIRE_CONTAINERS"):
        pytest.fail(f"no Docker engine has the image {image}: run tests/images/build")
    return found


@contextmanager
def container(
    image: str, port: int, environment: Mapping[str, str] | None = None, command: str | None = None
) -> Iterator[tuple[str, int]]:
    """The host and port at which `port` of a new container is reached; it may not listen yet."""
    from testcontainers.core.container import DockerContainer

    with DockerContainer(image, command=command, env=dict(environment or {}), ports=[port]) as started:
        yield started.get_container_host_ip(), int(started.get_exposed_port(port))
