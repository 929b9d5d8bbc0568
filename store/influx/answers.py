"""What an InfluxDB answers, in types: query results, refusals, and which errors are worth trying again.

Decides nothing about readings. The server's own words are kept in every error.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from domain.errors import StoreRefusedError, StoreUnavailableError

Cell = int | float | str | None
LONGEST_WORDS = 500  # characters of the server's words that are kept

_REMEDIES = {
    401: "check the user and token in stores.series",
    403: "give the user or token of stores.series the right to read and write the database",
    404: "make the database (1.x, 3) or the bucket (2.x) that stores.series names",
}


class Table(msgspec.Struct, frozen=True):
    """The rows of one series of an answer."""

    columns: list[str]
    values: list[list[Cell]] = []
    name: str = ""
    tags: dict[str, str] = {}

    def rows(self, *columns: str) -> Iterator[tuple[Cell, ...]]:
        """The named columns of each row; None for a column that the answer does not have."""
        places = [self.columns.index(column) if column in self.columns else -1 for column in columns]
        for row in self.values:
            yield tuple(row[place] if place >= 0 else None for place in places)


class _Result(msgspec.Struct, frozen=True):
    series: list[Table] = []
    error: str = ""


class _Answer(msgspec.Struct, frozen=True):
    results: list[_Result] = []
    error: str = ""


_answer = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True)
class Version:
    """Which InfluxDB answered `/ping`."""

    major: int
    minor: int
    words: str

    @property
    def takes_v2_writes(self) -> bool:
        """Whether `/api/v2/write` exists (since 1.8)."""
        return (self.major, self.minor) >= (1, 8)

    @property
    def deletes(self) -> bool:
        """Whether rows can be deleted; 3 Core can only forget whole databases or what is past its retention period."""
        return self.major < 3


def parse_version(header: str) -> Version:
    """The version in `X-Influxdb-Version`, e.g. `1.6.7~rc0`, `v2.7.11`, `3.0.1`. StoreRefusedError when it is none."""
    parts = header.strip().removeprefix("v").split(".")
    try:
        return Version(int(parts[0]), int(parts[1]), header.strip())
    except (ValueError, IndexError):
        raise StoreRefusedError(
            f"what answers is no InfluxDB that Caretaker knows (version {header[:50]!r})",
            "stores.series must name an InfluxDB 1.x, 2.x or 3 Core",
        ) from None


def read_answer(body: bytes) -> list[Table]:
    """The series of a query's answer; none is an empty list. An error in it is raised with the server's words."""
    try:
        answer = _answer.decode(body)
    except msgspec.MsgspecError as error:
        raise StoreUnavailableError(f"InfluxDB's answer cannot be read: {error}") from None
    said = answer.error or next((result.error for result in answer.results if result.error), "")
    if said:
        if "database not found" in said:
            raise StoreRefusedError(f"InfluxDB: {shortened(said)}", _REMEDIES[404])
        raise StoreUnavailableError(f"InfluxDB: {shortened(said)}")
    return [table for result in answer.results for table in result.series]


def failure(status: int, body: bytes, doing: str) -> StoreUnavailableError | StoreRefusedError:
    """The error for an answer that is neither a success nor about single lines: unavailable when it is worth another
    try, refused when a person must mend something first."""
    kind = StoreUnavailableError if status >= 500 or status in (408, 429) else StoreRefusedError
    return kind(f"InfluxDB refused {doing}: {status} {words(body)}", _REMEDIES.get(status, ""))


def words(body: bytes) -> str:
    """What the server says in an error's body: `error` of 1.x and 3, `message` of 2.x and 3, or the text itself."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = None
    if isinstance(told, dict):
        said = [str(told[key]) for key in ("error", "message") if told.get(key)]
        # 3 Core names each line that it refused.
        lines = told.get("data")
        if isinstance(lines, list):
            said += [str(line.get("error_message", "")) for line in lines if isinstance(line, dict)]
        if said:
            return shortened(": ".join(said))
    return shortened(body.decode(errors="replace"))


def shortened(said: str) -> str:
    """The words without line breaks, at most `LONGEST_WORDS`."""
    return " ".join(said.split())[:LONGEST_WORDS]
