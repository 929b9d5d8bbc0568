"""What pages fetch besides HTML: style, script, icons, the chart library, and each chart as a document or a picture.

Static files are few and small: they are read once and served from memory under an address that carries their content's
hash, so that browsers keep them for good and never show an old one.
"""

import hashlib
import mimetypes
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import vl_convert
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from api import charting
from api import parameters as given
from api.bundle import ChartLibrary
from api.charts import THEMES
from api.i18n import COOKIE, choose, language
from api.operations import Operations
from domain.errors import NotFoundError

_FOREVER = "public, max-age=31536000, immutable"
_BRIEF = "no-cache"
LIBRARY = "vega.js"
PICTURE_WIDTH = 900


@dataclass(frozen=True, slots=True)
class File:
    """One static file."""

    content: bytes
    media_type: str
    etag: str


class Static:
    """The files of `api/static`, and the chart library."""

    def __init__(self, cache_dir: Path | None) -> None:
        self.library = ChartLibrary(cache_dir)
        folder = resources.files("api") / "static"
        self._files = {
            entry.name: _file(entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.is_file()
        }

    def url(self, name: str) -> str:
        """The address of a file, with its version."""
        version = self.library.version if name == LIBRARY else self._files[name].etag.strip('"')[:12]
        return f"/static/{name}?v={version}"

    def file(self, name: str) -> File | None:
        """The file, or None."""
        return self._files.get(name)


def add_static(app: FastAPI, static: Static, operations: Operations) -> None:
    """Add the routes of everything that pages fetch."""
    routes = APIRouter(include_in_schema=False)
    _files(routes, static)
    _charts(routes, operations)
    app.include_router(routes)


def _files(routes: APIRouter, static: Static) -> None:
    @routes.get(f"/static/{LIBRARY}")
    def library(request: Request) -> Response:
        bundle = static.library.get()
        packed = "gzip" in request.headers.get("accept-encoding", "")
        response = _cached(request, bundle.packed if packed else bundle.script, "text/javascript", bundle.etag)
        response.headers["vary"] = "accept-encoding"
        if packed:
            response.headers["content-encoding"] = "gzip"
        return response

    @routes.get("/static/{name}")
    def file(request: Request, name: str) -> Response:
        found = static.file(name)
        if found is None:
            raise NotFoundError(f"there is no file {name!r}")
        return _cached(request, found.content, found.media_type, found.etag)

    @routes.get("/favicon.ico")
    def favicon(request: Request) -> Response:
        found = static.file("favicon.svg")
        assert found is not None
        return _cached(request, found.content, found.media_type, found.etag)


def _charts(routes: APIRouter, operations: Operations) -> None:
    @routes.get("/charts/{asset}/{metric}")
    def chart(
        request: Request,
        asset: given.AssetId,
        metric: given.MetricId,
        site: Annotated[str, Query()],
        span: Annotated[Literal["3h", "24h", "7d"], Query(alias="range")] = "24h",
        theme: Annotated[Literal["light", "dark"], Query()] = "light",
        form: Annotated[Literal["json", "svg"], Query()] = "json",
    ) -> Response:
        wanted = choose(
            request.query_params.get("lang"), request.cookies.get(COOKIE), request.headers.get("accept-language"), "en"
        )
        document = charting.draw(operations, site, f"{asset}/{metric}", span, THEMES[theme], language(wanted))
        if form == "json":
            return JSONResponse(document)
        return Response(picture(document), media_type="image/svg+xml")


def picture(document: dict[str, Any]) -> str:
    """The chart as SVG, for pages without scripts and for print; text is drawn by whoever shows it."""
    return str(vl_convert.vegalite_to_svg({**document, "width": PICTURE_WIDTH}))


def _cached(request: Request, content: bytes, media_type: str, etag: str) -> Response:
    headers = {"etag": etag, "cache-control": _FOREVER if "v" in request.query_params else _BRIEF}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def _file(name: str, content: bytes) -> File:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return File(content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
