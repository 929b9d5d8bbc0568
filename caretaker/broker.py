"""The embedded broker: amqtt on the loopback address, as a process of its own.

It keeps nothing over a restart and forgets unacknowledged messages; the receipts of the wire contract make that
harmless. It listens on loopback only, because it knows no credentials. About 2,500 QoS 1 messages a second: enough for
a site of packs, not for one reading a message.
"""

import asyncio
import logging
import signal
from typing import Any

from amqtt.broker import Broker

from domain.errors import CaretakerError

_CONFIGURATION: dict[str, Any] = {
    "timeout_disconnect_delay": 2,
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}


async def serve(port: int) -> None:
    """Run the broker on 127.0.0.1 until SIGTERM or SIGINT. CaretakerError when the port is taken."""
    logging.getLogger("amqtt").setLevel(logging.ERROR)
    logging.getLogger("amqtt.broker").addFilter(_worth_saying)
    logging.getLogger("transitions").setLevel(logging.ERROR)
    listener = {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 200}
    broker = Broker({**_CONFIGURATION, "listeners": {"default": listener}})
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await broker.start()
    except Exception as error:
        raise CaretakerError(
            f"the embedded broker cannot listen on 127.0.0.1:{port}: {error}",
            "another program has the port: stop it, or set broker.port (CARETAKER_BROKER__PORT)",
        ) from error
    await stop.wait()
    await broker.shutdown()


def _worth_saying(record: logging.LogRecord) -> bool:
    """Not: a connection that says nothing (a probe of the port), and a failed start, which becomes our own error."""
    return not record.getMessage().startswith(("No data from", "Broker startup failed"))
