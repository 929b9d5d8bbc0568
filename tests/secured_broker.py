"""A real Mosquitto secured as docs/brokers.md says: the page's own commands, with other paths, names and port."""

import contextlib
import os
import re
import shlex
import signal
import ssl
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt

from tests.support import free_port, listens, needs, wait_until

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "brokers.md"
CARETAKER = str(Path(sys.executable).with_name("caretaker"))
SITE = """\
site: {id: SITE, title: SITE}
areas: [{id: kitchen, title: Kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, title: Fridge, points: {temperature: {interval: 60s}}}
"""


class SecuredBroker:
    """The broker, the folder of its files and an installation of Caretaker beside it, all below one folder."""

    def __init__(self, folder: Path) -> None:
        self.program = needs("mosquitto", "mosquitto")
        self.folder, self.port = folder, free_port()
        self.files = folder / "etc/mosquitto/caretaker"
        self.data = folder / "var/lib/caretaker"
        self.config = folder / "etc/caretaker/caretaker.toml"
        self.log = folder / "mosquitto.log"
        self.process: subprocess.Popen[bytes] | None = None
        for part in ("etc/mosquitto/conf.d", "etc/caretaker", "var/lib/mosquitto", "kits"):
            (folder / part).mkdir(parents=True)
        self.main = folder / "etc/mosquitto/mosquitto.conf"
        self.main.write_text(debian_main(folder))

    def localized(self, text: str) -> str:
        """The page's text for this folder and port."""
        for path in ("/etc/mosquitto", "/etc/caretaker", "/var/lib/caretaker", "/root/kits"):
            text = text.replace(path, str(self.folder / path.removeprefix("/root").removeprefix("/")))
        text = text.replace("broker.school.lan", "localhost").replace("192.168.1.10", "127.0.0.1")
        text = text.replace("agents prepare ", f"agents prepare --port {self.port} ").replace("8883", str(self.port))
        return text.replace("sudo ", "").replace("-o mosquitto -g mosquitto ", "")

    def follow(self, block: int) -> str:
        """Run one of the page's shell blocks; what it printed."""
        said = []
        for line in self.localized(page_blocks("sh")[block]).splitlines():
            match shlex.split(line)[:2]:
                case ["apt-get", _]:
                    continue
                case ["systemctl", "restart"]:
                    self.start()
                case ["systemctl", "reload"]:
                    self.reload()
                case _:
                    said.append(self.run(*shlex.split(line)))
        return "".join(said)

    def run(self, *words: str) -> str:
        """Run a command that must succeed; its output."""
        program = CARETAKER if words[0] == "caretaker" else words[0]
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=60, cwd=self.folder)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def agents(self, *words: str) -> str:
        """Run `caretaker agents` on this installation."""
        return self.run("caretaker", "agents", *words, "--config", str(self.config))

    def add(self, site: str, agent: str) -> str:
        """Issue a credential; the password, read from its kit."""
        self.agents("add", site, agent, "--kit", str(self.folder / "kits" / agent))
        return self.password(agent)

    def password(self, agent: str) -> str:
        return (self.folder / "kits" / agent / "password").read_text().strip()

    def worker_password(self) -> str:
        return (self.data / "credentials/ingest.password").read_text().strip()

    def describe(self, *sites: str) -> None:
        """Write the page's configuration and apply the sites."""
        self.config.write_text(self.localized(page_blocks("toml")[0]) + f"[web]\nport = {free_port()}\n")
        for site in sites:
            path = self.folder / f"{site}.yaml"
            path.write_text(SITE.replace("SITE", site))
            self.run("caretaker", "site", "apply", str(path), "--config", str(self.config))

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([self.program, "-c", str(self.main)], stdout=log, stderr=log)
        wait_until(lambda: listens(self.port), 10, f"mosquitto listens: {self.log.read_text()}")

    def reload(self) -> None:
        assert self.process is not None
        before = self.log.read_text().count("Reloading config")
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log.read_text().count("Reloading config") > before, 10, "the files are reread")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)

    def client(
        self, user: str = "", password: str = "", client_id: str = "", authority: Path | None = None
    ) -> "Client":
        return Client(self.port, authority or self.files / "ca.crt", user, password, client_id or user or "somebody")


class Client:
    """One MQTT client over TLS that remembers what it got; `refused` says why it may not connect."""

    def __init__(self, port: int, authority: Path, user: str, password: str, client_id: str) -> None:
        self.got: deque[tuple[str, bytes]] = deque()
        self.refused = ""
        self.up = False
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=False)
        self._client.tls_set_context(ssl.create_default_context(cafile=str(authority)))
        if user:
            self._client.username_pw_set(user, password)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = lambda _client, _data, message: self.got.append((message.topic, message.payload))
        self._client.connect("localhost", port)
        self._client.loop_start()
        wait_until(lambda: self.up or bool(self.refused), 10, "an answer to CONNECT")

    def _on_connect(self, client: object, data: object, flags: object, reason: mqtt.ReasonCode, more: object) -> None:
        if reason.is_failure:
            self.refused = str(reason)
        self.up = not reason.is_failure

    def _on_disconnect(self, *_: object) -> None:
        self.up = False

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish, and wait until the broker has acknowledged, which it also does for what it drops."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(10)

    def send(self, topic: str, payload: bytes) -> None:
        """Publish, and do not wait: the broker may hang up instead of an answer."""
        self._client.publish(topic, payload, 1)

    def ask_for(self, topic: str) -> None:
        """Subscribe, and do not wait, as above."""
        self._client.subscribe(topic, 1)

    def subscribe(self, *topics: str) -> None:
        done: list[object] = []
        self._client.on_subscribe = lambda *_: done.append(_)
        for topic in topics:
            self._client.subscribe(topic, 1)
        wait_until(lambda: len(done) == len(topics), 10, "the subscriptions are answered")

    def topics(self) -> set[str]:
        return {topic for topic, _ in self.got}

    def has(self, topic: str) -> Callable[[], bool]:
        return lambda: topic in self.topics()

    def close(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._client.disconnect()
        self._client.loop_stop()
        # Without a way back from it the client is freed at once, and with it its sockets, in order.
        self._client.on_connect = self._client.on_disconnect = self._client.on_message = None
        self._client.on_subscribe = None


def page_blocks(language: str) -> list[str]:
    """The page's code blocks in that language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def debian_main(folder: Path) -> str:
    """The main file that Debian's package brings, below that folder, for the user who runs the tests."""
    text = Path("/etc/mosquitto/mosquitto.conf").read_text()
    text = re.sub(r"^pid_file.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^log_dest.*$", "log_dest stderr", text, flags=re.MULTILINE)
    for path in ("/etc/mosquitto", "/var/lib/mosquitto"):
        text = text.replace(path, f"{folder}{path}")
    return f"{text}\nuser root\n" if os.geteuid() == 0 else text


def eventually(make: Callable[[], Client]) -> Client:
    """A client that connects, tried again for some seconds."""
    end = time.monotonic() + 10
    while True:
        client = make()
        if client.up:
            return client
        client.close()
        assert time.monotonic() < end, client.refused
