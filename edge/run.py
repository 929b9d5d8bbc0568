"""Puts one agent together and runs it until it is told to stop: what `caretaker edge` does.

Wiring only: the configuration's file in, the exit of the process out. It installs signal handlers when asked to.
"""

import secrets
import signal
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType

from edge.agent import Agent
from edge.clock import SystemClock
from edge.config import AgentConfig, load_config
from edge.link import MqttLink
from edge.outbox import Outbox
from edge.sampling import Sampler
from edge.sources.registry import Factory, build
from wire.messages import OnlineState, Status, encode_status
from wire.topics import client_id, receipt_topic, status_topic

OUTBOX_FILE = "outbox.db"


def new_boot() -> str:
    """A name for this start of the agent that no other start has."""
    return secrets.token_hex(6)


def check(path: Path, extra: Mapping[str, Factory]) -> AgentConfig:
    """The configuration, with every source made and opened once. CaretakerError when anything cannot work."""
    config = load_config(path)
    sampler = make_sampler(config, extra)
    try:
        sampler.open()
        sampler.points()
    finally:
        sampler.close()
    return config


def run(path: Path, extra: Mapping[str, Factory], *, until_done: bool = False) -> None:
    """Run the agent of that configuration until SIGTERM or SIGINT; CaretakerError when it cannot begin.

    `until_done`: also end when the sources have nothing more to give and everything is receipted.
    """
    config = load_config(path)
    # The will must name the boot that connects; a later boot (after a damaged outbox) is announced, never willed.
    boot = new_boot()
    names = iter((boot,))
    will = encode_status(Status(OnlineState.OFFLINE, boot))
    link = MqttLink(
        config.broker,
        client_id(config.site, config.agent),
        receipt_topic(config.site, config.agent),
        (status_topic(config.site, config.agent), will),
    )
    outbox = Outbox(config.data_dir / OUTBOX_FILE, config.outbox_bytes, config.outbox_age)
    sampler = make_sampler(config, extra)
    agent = Agent(config, sampler, outbox, link, SystemClock(), lambda: next(names, None) or new_boot(), _version())
    told = _stop_on_signals(link.wake)
    agent.start()
    try:
        while not told() and not (until_done and agent.done):
            wait = agent.step()
            if wait:
                link.wait(wait / 1000)
    finally:
        agent.finish()


def make_sampler(config: AgentConfig, extra: Mapping[str, Factory]) -> Sampler:
    """The sources of the configuration, made and not yet opened."""
    return Sampler([build(kind, options, extra) for kind, options in config.sources], config.sample_interval)


def _stop_on_signals(wake: Callable[[], None]) -> Callable[[], bool]:
    """Whether SIGTERM or SIGINT came; the signal also wakes the loop."""
    came: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        came.append(number)
        wake()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return lambda: bool(came)


def _version() -> str:
    try:
        return version("caretaker")
    except PackageNotFoundError:
        return "0"
