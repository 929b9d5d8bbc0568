"""The peer of the single measurement: a stock paho client with `loop_start`, QoS 1, that only counts what it gets.

A process of its own; writes its count every 50 ms from the main thread, which costs the network thread nothing. The
first line, 0, says that it is subscribed.
"""

import sys
import time
from itertools import count
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

EVERY_SECONDS = 0.05


def main() -> None:
    """Subscribe at the port in the first argument, and count until the process is ended."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="bench-paho")
    numbers = count(1)
    newest = [0]
    subscribed: list[bool] = []

    def on_message(client: Client, data: Any, message: MQTTMessage) -> None:
        newest[0] = next(numbers)

    def on_subscribe(client: Client, data: Any, mid: int, reasons: Any, properties: Any) -> None:
        subscribed.append(True)

    client.on_message = on_message
    client.on_subscribe = on_subscribe
    client.connect("127.0.0.1", int(sys.argv[1]))
    client.subscribe("caretaker/#", 1)
    client.loop_start()
    while True:
        time.sleep(EVERY_SECONDS)
        if subscribed:
            sys.stdout.write(f"{newest[0]}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
