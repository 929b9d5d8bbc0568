"""MicroPython on an ESP32 with a DS18B20: publishes one SenML pack every half minute.

An unsequenced pack has no receipt: what is published while broker or Wi-Fi are away is gone. For a cold store that
must be documented without holes, put an agent (docs/edge.md) on a Raspberry Pi instead.
"""

# MicroPython: no types, and the console is the only log.
# ruff: noqa: ANN001, ANN201, BLE001, T201
import json
import time

import ds18x20
import machine
import network
import ntptime
import onewire
from umqtt.simple import MQTTClient

WIFI, WIFI_PASSWORD = "your-wifi", "your-password"
BROKER, SITE, AGENT = "192.168.1.10", "hillside", "esp32-1"
ASSET, METRIC, PIN, EVERY_S = "fridge-1", "temperature", 4, 30
EPOCH_2000 = 946684800 if time.gmtime(0)[0] == 2000 else 0  # MicroPython may count from 2000

TOPIC = f"caretaker/1/{SITE}/agents/{AGENT}/readings"


def pack(value, moment):
    """One SenML pack (RFC 8428) with one record; `moment` is in seconds since 1970, 0 when the clock is not set."""
    record = {"bn": ASSET + "/", "n": METRIC, "u": "Cel", "v": value}
    if value == 85.0:
        record["q"] = "bad"  # what the chip holds before its first conversion
    if moment:
        record["t"] = moment  # without a time it counts as now
    return json.dumps([record])


def connect_wifi():
    """Wait until the Wi-Fi stands."""
    wifi = network.WLAN(network.STA_IF)
    wifi.active(True)
    if not wifi.isconnected():
        wifi.connect(WIFI, WIFI_PASSWORD)
        while not wifi.isconnected():
            time.sleep(1)


def main():
    """Measure and publish for ever; any failure restarts the chip after half a minute."""
    connect_wifi()
    try:
        ntptime.settime()
        clock_is_set = True
    except OSError:
        clock_is_set = False
    bus = ds18x20.DS18X20(onewire.OneWire(machine.Pin(PIN)))
    sensor = bus.scan()[0]
    client = MQTTClient(f"{SITE}-{AGENT}", BROKER, keepalive=2 * EVERY_S)
    client.connect()
    while True:
        bus.convert_temp()
        time.sleep_ms(750)  # what a conversion takes
        moment = time.time() + EPOCH_2000 if clock_is_set else 0
        client.publish(TOPIC, pack(bus.read_temp(sensor), moment), qos=1)
        time.sleep(EVERY_S)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        print(error)
        time.sleep(30)
        machine.reset()
