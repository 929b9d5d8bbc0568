"""The peer of the packs measurement: posts ready-made line protocol to InfluxDB and does nothing else.

Everything is formatted before the clock starts: the lines that Caretaker would write for the same readings. Prints the
seconds from the first byte to the last answer.
"""

import http.client
import sys
import time
from collections.abc import Iterator

from caretaker.bench import site
from caretaker.bench.packets import METRICS, WITHIN, points_of
from store.influx.lines import point_tags, reading_fields, series_head

BATCH = 5_000
INTERVAL = 1_000


def bodies(points: int, readings: int, now: int) -> Iterator[bytes]:
    """The requests' bodies: every point in turn, INTERVAL ms apart, `now` (UTC ms) being the newest and received."""
    heads = []
    for number, (asset, metric, _) in enumerate(points_of(0, points)):
        name = f"{asset}/{metric}"
        heads.append((series_head(metric, point_tags(site.SITE, name, site.AREA)), WITHIN[number % len(METRICS)]))
    turns = -(-readings // points)
    first = now - turns * INTERVAL
    for begin in range(0, readings, BATCH):
        lines = []
        for index in range(begin, min(readings, begin + BATCH)):
            turn, number = divmod(index, points)
            head, value = heads[number]
            fields = reading_fields(value + turn % 4 / 8, 0, now, "", None, 0)
            lines.append(f"{head}{fields} {first + turn * INTERVAL}")
        yield "\n".join(lines).encode()


def post(port: int, database: str, made: list[bytes]) -> float:
    """Post the bodies one after the other over one connection; the seconds that it took. OSError when one fails."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    for body in made:
        connection.request("POST", f"/write?db={database}&precision=ms", body)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 204:
            raise OSError(f"InfluxDB answered {answer.status}: {said[:200].decode(errors='replace')}")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def main() -> None:
    """Arguments: port, database, points, readings."""
    port, database, points, readings = sys.argv[1:]
    made = list(bodies(int(points), int(readings), time.time_ns() // 1_000_000))
    print(post(int(port), database, made), flush=True)


if __name__ == "__main__":
    main()
