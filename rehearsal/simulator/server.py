"""The HTTP server under the simulator: uvicorn, with a way to cut a connection in the middle."""

from __future__ import annotations

from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class CuttableProtocol(HttpToolsProtocol):
    """Shows each request the transport it came on, so that a fault can end it without an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope["simulator.transport"] = self.transport


def make_server(app: FastAPI, *, host: str, port: int) -> uvicorn.Server:
    """A server that is not started yet; port 0 takes a free one."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=CuttableProtocol,
            log_level="warning",
            access_log=False,
            timeout_keep_alive=75,
            lifespan="on",
        )
    )
