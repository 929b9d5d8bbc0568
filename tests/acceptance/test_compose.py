"""deploy/compose.yaml brought up as deploy/README.md says, on images made of Debian's packages; a reading goes through.

Needs a Docker engine with the images of `tests/images/build`, and PyPI to build Caretaker's own. It takes minutes, so
it runs only when CARETAKER_TEST_COMPOSE is set. The page's commands are executed; the test's own are the names of the
images, the published ports, and the machine's certificates in the image that Caretaker's is built on.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from tests.support import free_port, needs, wait_until

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(1200),
    pytest.mark.skipif("CARETAKER_TEST_COMPOSE" not in os.environ, reason="takes minutes: set CARETAKER_TEST_COMPOSE"),
]
ROOT = Path(__file__).parents[2]
BASE = "caretaker-test/python-here:bookworm"
OURS = "caretaker-test/caretaker:bookworm"
IMAGES = {name: f"caretaker-test/{image}:bookworm" for name, image in
          (("mosquitto", "mosquitto"), ("postgres", "postgres"), ("influxdb", "influxdb"))}  # fmt: skip


class Composition:
    """A copy of what the image is built of and of deploy/, with Compose's project `caretaker-test`."""

    def __init__(self, folder: Path) -> None:
        self.root, self.deploy = folder, folder / "deploy"
        self.web, self.broker = free_port(), free_port()
        for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines():
            if line.startswith("!"):
                self._copy(line[1:])
        self._copy("deploy")
        (self.deploy / "compose.yaml").write_text(yaml.safe_dump(self._compose(), sort_keys=False))
        docker = needs("docker", "docker.io")
        plugin = subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0
        # Debian 12 has Compose 1.29, which is a program of its own.
        self.program = [docker, "compose"] if plugin else [needs("docker-compose", "docker-compose")]
        self.environment = {
            **os.environ, "COMPOSE_PROJECT_NAME": "caretaker-test", "CARETAKER_IMAGE": OURS, "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0", "BUILDKIT_PROGRESS": "plain",
        }  # fmt: skip

    def run(self, command: str) -> str:
        """A line of the page, by a shell in deploy/; what it printed."""
        line = command.replace("docker compose", " ".join(self.program))
        line = re.sub(r"(\brun --rm|\bexec)\b", r"\1 -T", line)
        done = subprocess.run(
            ["sh", "-c", line], cwd=self.deploy, env=self.environment, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def make_base(self) -> None:
        """Python's image with this machine's authorities: a proxy before PyPI may have one of its own."""
        folder = self.root / "base"
        folder.mkdir()
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", folder / "authorities.crt")
        (folder / "Dockerfile").write_text(
            "FROM caretaker-test/python:bookworm\nCOPY authorities.crt /etc/ssl/certs/ca-certificates.crt\n"
            "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt\n"
        )
        self.run(f"docker build --quiet --tag {BASE} ../base")

    def follow(self) -> None:
        page = (self.deploy / "README.md").read_text()
        block = re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[0]
        for line in block.splitlines():
            self.run(line)

    def latest(self) -> list[dict[str, object]]:
        try:
            with urlopen(f"http://127.0.0.1:{self.web}/api/v1/sites/school/latest", timeout=5) as answer:
                found: list[dict[str, object]] = json.load(answer)
                return found
        except OSError:
            return []

    def _copy(self, name: str) -> None:
        source, target = ROOT / name, self.root / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)

    def _compose(self) -> dict[str, object]:
        made = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
        del made["name"]  # a word that Compose 1 does not know; the project's name is in the environment
        services = made["services"]
        for name, image in IMAGES.items():
            services[name]["image"] = image
        services["ingest-1"]["build"] |= {"network": "host", "args": {"BASE": BASE}}
        services["web"]["ports"] = [f"127.0.0.1:{self.web}:8420"]
        services["mosquitto"]["ports"] = [f"127.0.0.1:{self.broker}:8883"]
        return dict(made)


@pytest.fixture
def composition(tmp_path: Path) -> Iterator[Composition]:
    made = Composition(tmp_path)
    try:
        made.make_base()
        made.follow()
        yield made
    finally:
        made.run("docker compose --profile tools down --volumes --remove-orphans --timeout 40")


def test_a_pack_that_an_agent_publishes_is_read_from_the_api(composition: Composition) -> None:
    added = composition.run(
        "docker compose run --rm tools agents add school canteen --address mqtts://broker.school.lan:8883"
    )
    composition.run("docker compose kill --signal HUP mosquitto" if composition.program[-1] == "compose"
                    else "docker compose kill -s HUP mosquitto")  # fmt: skip
    (password,) = re.findall(r"^password \(shown this once\): (\S+)$", added, re.MULTILINE)
    authority = composition.root / "ca.crt"
    authority.write_text(
        composition.run("docker compose run --rm --entrypoint cat tools /var/lib/caretaker/authority/ca.crt")
    )
    pack = json.dumps([{"n": "fridge-1/temperature", "u": "Cel", "t": time.time(), "v": 4.5}])
    command = [
        needs("mosquitto_pub", "mosquitto-clients"), "-h", "localhost", "-p", str(composition.broker), "--insecure",
        "--cafile", str(authority), "-i", "school.canteen", "-u", "school.canteen", "-P", password, "-q", "1",
        "-t", "caretaker/1/school/agents/canteen/readings", "-m", pack,
    ]  # fmt: skip
    wait_until(lambda: subprocess.run(command, capture_output=True, timeout=30).returncode == 0, 60, "it is published")
    wait_until(
        lambda: any(one["point"] == "fridge-1/temperature" and one["value"] == 4.5 for one in composition.latest()),
        120, "the reading is in the API",
    )  # fmt: skip
