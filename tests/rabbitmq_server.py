"""A real RabbitMQ with its MQTT plugin, set up by docs/brokers.md: the page's own settings and commands.

Debian's `rabbitmq-server` as a child with everything below one folder and on free ports of the loopback address, and
its name server `epmd` as another child, because a server that finds none leaves one running.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.secured_broker import Client, page_blocks
from tests.support import free_port, listens, needs, wait_until

SCRIPTS = Path("/usr/lib/rabbitmq/bin")  # without the wrapper that changes to the user rabbitmq
SETTINGS, COMMANDS = page_blocks("ini")[0], page_blocks("text")[0]


class RabbitMQ:
    """The server; `passwords` are those of the users that the page makes."""

    def __init__(self, folder: Path) -> None:
        needs("rabbitmq-server", "rabbitmq-server")
        self.folder, self.port = folder, free_port()
        self.passwords: dict[str, str] = {}
        self.log = folder / "rabbitmq.log"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment = self._variables()
        (folder / "home").mkdir()
        self._certificate()
        # What is not of the page: no port for its own protocol, and the loopback address only.
        settings = SETTINGS.replace("/etc/rabbitmq", str(folder)).replace("8883", f"127.0.0.1:{self.port}")
        (folder / "rabbitmq.conf").write_text(settings + "listeners.tcp = none\n")
        (folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")  # what rabbitmq-plugins enable writes

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    def start(self) -> None:
        port = self._environment["ERL_EPMD_PORT"]
        epmd = [needs("epmd", "rabbitmq-server"), "-port", port, "-address", "127.0.0.1"]
        self._start(epmd)
        wait_until(lambda: listens(int(port)), 20, "epmd listens")
        self._start([str(SCRIPTS / "rabbitmq-server")])
        wait_until(self._is_up, 180, f"RabbitMQ is up; see {self.log}")

    def stop(self) -> None:
        """The server first: it takes its leave of the name server."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait(60)

    def follow_the_page(self) -> None:
        """Its commands, with a password of our own for each user."""
        for line in COMMANDS.splitlines():
            program, *words = shlex.split(line)
            password = ""
            if words[0] == "add_user":
                password = self.passwords[words[1]] = f"secret-of-{words[1]}"
            done = subprocess.run(
                [SCRIPTS / program, *words], input=password + "\n", capture_output=True, text=True, timeout=60,
                env={**os.environ, **self._environment}, cwd=self.folder,
            )  # fmt: skip
            assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"

    def client(self, user: str) -> Client:
        return Client(self.port, self.authority, user, self.passwords[user], user)

    def _start(self, command: list[str]) -> None:
        with self.log.open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command, stdout=log, stderr=log, env={**os.environ, **self._environment}, cwd=self.folder
                )
            )

    def _is_up(self) -> bool:
        assert self._processes[-1].poll() is None, self.log.read_text()
        return "Server startup complete" in self.log.read_text()

    def _variables(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder / "home"),  # the cookie by which rabbitmqctl is known
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": f"caretaker-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _certificate(self) -> None:
        """By the page's commands for certificates made by hand, for this machine's name."""
        (self.folder / "names").write_text("subjectAltName = DNS:localhost\n")
        (by_hand,) = [block for block in page_blocks("sh") if block.startswith("openssl")]
        needs("openssl", "openssl")
        for line in by_hand.splitlines():
            words = shlex.split(re.sub(r"broker\.school\.lan", "localhost", line))
            subprocess.run(words, check=True, capture_output=True, timeout=60, cwd=self.folder)
