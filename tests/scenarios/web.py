"""The API without sockets: one request to the application at a time, in a thread and event loop of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from fastapi import FastAPI


class Web:
    """Asks the application. (Starlette's own TestClient warns about the httpx that the project uses.)"""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path, **options)

        # The browser tests of the same run keep an event loop in the main thread.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(send())).result()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON answer; fails unless it is 200."""
        answer = self.request("GET", f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()
