"""The chart library for browsers, as vl-convert carries it: made once, kept compressed, never fetched from elsewhere.

Making it takes about two seconds, so it is done at the first request (by one thread) and kept in `cache_dir` between
starts. The file's name carries the version, so browsers may keep it for good.
"""

import gzip
import hashlib
import threading
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import structlog
import vl_convert

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The script and its gzip form, with the entity tag of its content."""

    script: bytes
    packed: bytes
    etag: str


class ChartLibrary:
    """Gives the bundle, making it at most once at a time."""

    def __init__(self, cache_dir: Path | None) -> None:
        self.version = version("vl-convert-python")
        self._path = cache_dir / f"vega-{self.version}.js" if cache_dir else None
        self._lock = threading.Lock()
        self._bundle: Bundle | None = None

    def get(self) -> Bundle:
        """The bundle; blocks while it is being made."""
        with self._lock:
            if self._bundle is None:
                script = self._cached() or self._made()
                etag = f'"{hashlib.sha256(script).hexdigest()[:32]}"'
                self._bundle = Bundle(script, gzip.compress(script, 6, mtime=0), etag)
            return self._bundle

    def _cached(self) -> bytes | None:
        try:
            return self._path.read_bytes() if self._path else None
        except OSError:
            return None

    def _made(self) -> bytes:
        script = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).encode("utf-8")
        if self._path:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                part = self._path.with_suffix(".part")
                part.write_bytes(script)
                part.replace(self._path)
            except OSError as error:
                _log.warning("chart library could not be kept for the next start", error=str(error))
        return script
