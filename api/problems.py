"""Every error answer of the API as `application/problem+json` (RFC 9457): what is wrong and how to mend it.

The `type` is a URN from the closed set below, so that programs need not read the sentence. Pages get the same words in
HTML from `api.pages`; nothing here may leak a traceback.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from domain.errors import (
    CaretakerError,
    ConflictError,
    IllegalTransitionError,
    NotFoundError,
    StoreUnavailableError,
)
from rules.guard import LegalLimitError

_log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class Kind(StrEnum):
    """What went wrong, as the end of the problem's `type` URN."""

    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    INVALID_REQUEST = "invalid-request"
    VERSION_CONFLICT = "version-conflict"
    ILLEGAL_TRANSITION = "illegal-transition"
    LEGAL_LIMIT = "legal-limit"
    FOREIGN_ORIGIN = "foreign-origin"
    UNKNOWN_HOST = "unknown-host"
    TOO_MANY_STREAMS = "too-many-streams"
    STORE_UNAVAILABLE = "store-unavailable"
    UNUSABLE_CONFIGURATION = "unusable-configuration"
    INTERNAL = "internal"


class Problem(BaseModel):
    """An error answer (RFC 9457)."""

    type: str = Field(description="URN of the kind of problem", examples=["urn:caretaker:problem:not-found"])
    title: str = Field(description="the HTTP status in words", examples=["Not Found"])
    status: int = Field(description="the HTTP status", examples=[404])
    detail: str = Field(description="what is wrong", examples=["there is no site 'scool'"])
    remedy: str = Field("", description="how to mend it; empty when the detail says so already")
    instance: str = Field("", description="the path that was asked for")
    errors: list[dict[str, Any]] = Field([], description="for an invalid request: where each fault is")


# How the interface description names a problem answer.
PROBLEM: dict[str, object] = {"model": Problem, "content": {MEDIA_TYPE: {}}}


@dataclass
class ProblemError(Exception):
    """A refusal that is no `CaretakerError`: raised by the API's own checks."""

    status: int
    kind: Kind
    detail: str
    remedy: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def problem(status: int, kind: Kind, detail: str, path: str, remedy: str = "") -> Problem:
    """The problem as a value."""
    return Problem(
        type=f"urn:caretaker:problem:{kind}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        remedy=remedy,
        instance=path,
    )


def as_json(found: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The problem as a response."""
    content = found.model_dump(exclude=None if found.errors else {"errors"})
    return JSONResponse(content, found.status, headers, MEDIA_TYPE)


def wants_page(request: Request) -> bool:
    """Whether a person looks at it in a browser: then the same words come as a page."""
    programs = ("/api/", "/health/", "/metrics", "/openapi.json", "/static/", "/charts/")
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(programs)


def _answer(request: Request, found: Problem, headers: Mapping[str, str] | None = None) -> Response:
    page: Callable[[Request, Problem], Response] | None = getattr(request.app.state, "problem_page", None)
    if page is not None and wants_page(request):
        return page(request, found)
    return as_json(found, headers)


def classify(error: CaretakerError) -> tuple[int, Kind]:
    """Status and kind of an error that was raised on purpose."""
    if isinstance(error, NotFoundError):
        return 404, Kind.NOT_FOUND
    if isinstance(error, LegalLimitError):
        return 409, Kind.LEGAL_LIMIT
    if isinstance(error, ConflictError):
        return 409, Kind.VERSION_CONFLICT
    if isinstance(error, IllegalTransitionError):
        return 409, Kind.ILLEGAL_TRANSITION
    if isinstance(error, StoreUnavailableError):
        return 503, Kind.STORE_UNAVAILABLE
    return 500, Kind.UNUSABLE_CONFIGURATION


def install(app: FastAPI) -> None:
    """Answer every error of the app as a problem."""
    app.add_exception_handler(CaretakerError, _caretaker)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _defect)


async def _caretaker(request: Request, error: Exception) -> Response:
    assert isinstance(error, CaretakerError)
    status, kind = classify(error)
    return _answer(request, problem(status, kind, error.message, request.url.path, error.remedy))


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return _answer(
        request, problem(error.status, error.kind, error.detail, request.url.path, error.remedy), error.headers
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kinds = {404: Kind.NOT_FOUND, 405: Kind.METHOD_NOT_ALLOWED}
    kind = kinds.get(error.status_code, Kind.INVALID_REQUEST if error.status_code < 500 else Kind.INTERNAL)
    detail, remedy = str(error.detail), ""
    if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
        detail, remedy = f"there is nothing at {request.url.path}", "the routes are listed in /openapi.json"
    return _answer(request, problem(error.status_code, kind, detail, request.url.path, remedy), error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"in": str(fault["loc"][0]), "field": ".".join(map(str, fault["loc"][1:])), "message": fault["msg"]}
        for fault in error.errors()
    ]
    detail = "; ".join(f"{fault['field'] or fault['in']}: {fault['message']}" for fault in errors)
    found = problem(422, Kind.INVALID_REQUEST, detail, request.url.path)
    return _answer(request, found.model_copy(update={"errors": errors}))


async def _defect(request: Request, error: Exception) -> Response:
    # The traceback is logged by the server, to which Starlette hands the exception on.
    _log.error("request failed", path=request.url.path, error=repr(error))
    detail = "the server could not answer; its log says why"
    remedy = "see the web process's log, then: caretaker doctor"
    return _answer(request, problem(500, Kind.INTERNAL, detail, request.url.path, remedy))
