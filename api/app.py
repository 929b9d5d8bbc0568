"""The web application, wired in one straight line: operations, then JSON routes, then pages, then what guards them.

`caretaker` hands over the stores and the clock; nothing here names a concrete store, reads the environment or happens
at import.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import structlog
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import coverage_routes, excursion_routes, models, pages, problems, routes, rule_edit_pages, rule_pages
from api.health import readiness
from api.incidents import IncidentDesk
from api.insight import InsightDesk
from api.knowledge import Knowledge
from api.live import Feed
from api.metrics import CONTENT_TYPE, Metrics
from api.operations import Operations
from api.rule_book import RuleBook
from api.rule_desk import RuleDesk
from api.security import Guard
from api.settings import ApiSettings
from domain.ports import Console, SeriesStore
from domain.records import ProcessRow
from domain.times import SECOND

_log = structlog.get_logger(__name__)

PROCESS = "web"

_TAGS = [
    {"name": "catalogue", "description": "What there is to watch: site, area, asset, point."},
    {"name": "readings", "description": "What was measured, and what never came."},
    {"name": "alarms", "description": "What is out of order, what was, and who answered."},
    {"name": "excursions", "description": "How long is left, why, what an excursion was, and what became of the food."},
    {"name": "rules", "description": "How good the alarms are, and what a change of rules would do."},
    {"name": "live", "description": "What changes, as it changes."},
    {"name": "operation", "description": "How the installation itself does."},
]


def create_app(console: Console, series: SeriesStore, *, clock: Callable[[], int], settings: ApiSettings) -> FastAPI:
    """The application. `clock` gives UTC ms; `app.state.feed.stop()` ends its event streams."""
    knowledge = Knowledge(console)
    operations = Operations(console, series, knowledge, clock, settings.shelf)
    feed = Feed(console, knowledge, clock, settings)
    metrics = Metrics(operations)
    app = FastAPI(
        title="Caretaker",
        version=settings.version,
        summary="Readings, alarms and answers of watched canteens and facilities",
        openapi_tags=_TAGS,
        docs_url=None,  # the stock page loads its scripts from a CDN
        redoc_url=None,
        lifespan=_beating(console, clock, settings),
        separate_input_output_schemas=False,
    )
    app.state.feed = feed
    app.state.operations = operations
    problems.install(app)
    desk = RuleDesk(console, series, knowledge, clock)
    insight = InsightDesk(operations)
    incidents = IncidentDesk(operations, desk, insight)
    book = RuleBook(console, knowledge, desk, clock)
    app.state.desk, app.state.insight = desk, insight
    app.include_router(routes.router(operations, feed, desk, incidents, book))
    _operation(app, operations, metrics, feed, settings)
    drawn = pages.install(app, operations, settings, incidents, insight)
    rule_pages.install(app, drawn, incidents, desk)
    rule_edit_pages.install(app, drawn, desk, book)
    excursion_routes.install(app, drawn)
    coverage_routes.install(app, drawn)
    app.add_middleware(GZipMiddleware, minimum_size=1_000)
    app.add_middleware(_Counted, metrics=metrics)
    app.add_middleware(Guard, hosts=settings.hosts)
    return app


def _operation(app: FastAPI, operations: Operations, metrics: Metrics, feed: Feed, settings: ApiSettings) -> None:
    @app.get("/health/live", tags=["operation"], summary="Does the process run?")
    async def live() -> models.Live:
        """200 as long as the process answers."""
        return models.Live(status="ok", version=settings.version)

    @app.get(
        "/health/ready",
        tags=["operation"],
        summary="Does the installation do its work?",
        responses={503: {"model": models.Ready, "description": "a check fails; it says which and why"}},
    )
    def ready(response: Response) -> models.Ready:
        """200 when both stores answer and ingest is alive, else 503 with the reasons."""
        found = readiness(operations, settings)
        response.status_code = 200 if found.status == "ok" else 503
        return found

    @app.get("/metrics", tags=["operation"], summary="Figures for Prometheus", response_class=Response)
    def figures() -> Response:
        """Prometheus' text format; the names are listed in docs/api.md."""
        return Response(metrics.text(feed.listeners), media_type=CONTENT_TYPE)


class _Counted:
    """Counts answered requests by route template."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "none")
                self._metrics.count(scope["method"], route, message["status"])
            await send(message)

        await self._app(scope, receive, counting)


def _beating(
    console: Console, clock: Callable[[], int], settings: ApiSettings
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        started = clock()
        task = asyncio.create_task(_beat(console, clock, settings, started), name="web-beat")
        yield
        app.state.feed.stop()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return lifespan


async def _beat(console: Console, clock: Callable[[], int], settings: ApiSettings, started: int) -> None:
    while True:
        row = ProcessRow(PROCESS, os.getpid(), started, clock())
        try:
            await run_in_threadpool(console.beat, row)
        except Exception as error:  # noqa: BLE001 - whatever the store raises, the pages must go on
            _log.warning("sign of life could not be stored", error=str(error))
        await asyncio.sleep(settings.beat_every / SECOND)
