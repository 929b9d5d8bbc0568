"""What every request must satisfy and every answer must carry, as ASGI middleware.

There is no sign-in yet and the server listens on loopback; what is decided here keeps other web pages in the same
browser out: an unknown host name (DNS rebinding) and a foreign origin of a changing request (CSRF) are refused.
Reasons in docs/decisions/0061.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Kind, as_json, problem

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: with it browsers send `Origin: null` from a plain-http form, and the origin check would be blind.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def host_of(authority: str) -> str:
    """The host of a `Host` header in lower case: without port, IPv6 without brackets; empty when malformed."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def known_host(authority: str, names: frozenset[str]) -> bool:
    """Whether a browser may call the server by that name: any IP address, or one of `names`."""
    host = host_of(authority)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host in names
    return True


def own_names(further: tuple[str, ...]) -> frozenset[str]:
    """`localhost`, the machine's own names and the configured ones, in lower case."""
    machine = socket.gethostname()
    return frozenset(name.lower() for name in ("localhost", machine, f"{machine.split('.')[0]}.local", *further))


def foreign(headers: Headers) -> bool:
    """Whether a browser says that another site's page sent this request. Programs send neither header and pass."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


class Guard:
    """Refuses unknown hosts and foreign origins, and adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...] = ()) -> None:
        self._app = app
        self._names = own_names(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    present.setdefault(name, value)
                present.setdefault("cache-control", "no-store")
            await send(message)

        headers, path = Headers(scope=scope), scope["path"]
        if not known_host(headers.get("host", ""), self._names):
            detail = f"this server does not answer to the name {headers.get('host', '')!r}"
            remedy = "use its IP address, or add the name to the setting web.hosts"
            refusal = as_json(problem(421, Kind.UNKNOWN_HOST, detail, path, remedy))
            await refusal(scope, receive, send_with_headers)
        elif scope["method"] not in _SAFE and foreign(headers):
            detail = "a page of another site sent this request; it changed nothing"
            await as_json(problem(403, Kind.FOREIGN_ORIGIN, detail, path))(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)
