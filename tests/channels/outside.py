"""Real local servers for tests: the simulator, a provider that answers by a script, and a house that listens for webhooks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels import Outgoing
from rehearsal.simulator.app import create_simulator
from rehearsal.simulator.keys import SimulatedKeys
from rehearsal.simulator.server import make_server
from rehearsal.simulator.world import World, WorldConfig


@contextmanager
def serving(server: uvicorn.Server) -> Iterator[str]:
    """Run a server in a thread on a free port of 127.0.0.1; gives its address once it listens."""
    ready = threading.Event()
    started = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await started(sockets)
        ready.set()

    server.startup = startup  # type: ignore[method-assign]
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    assert ready.wait(20), "the server did not start"
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


@dataclass
class Simulator:
    """A running simulator: its address, its keys, and its world for looking into."""

    url: str
    keys: SimulatedKeys
    world: World


@contextmanager
def simulator(config: WorldConfig) -> Iterator[Simulator]:
    """A simulator over HTTP."""
    app = create_simulator(config)
    with serving(make_server(app, host="127.0.0.1", port=0)) as url:
        world: World = app.state.world
        yield Simulator(url, world.keys, world)


@dataclass
class Arrived:
    """A request as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """A server that keeps what it gets and answers by a script of (status, body, headers); the last answer repeats."""

    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=lambda: [(200, "", {})])
    pages: dict[str, str] = field(default_factory=dict)
    """What a GET of a path shows."""
    got: list[Arrived] = field(default_factory=list)
    url: str = ""

    async def _take(self, request: Request) -> Response:
        if request.method == "GET":
            page = self.pages.get(request.url.path)
            return Response(page or "", 200 if page else 404, media_type="text/html")
        path = str(request.url).removeprefix(self.url)
        self.got.append(Arrived(path, dict(request.headers), await request.body()))
        status, body, headers = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        return Response(body, status, headers)

    def forget(self) -> None:
        """As if it had just begun to listen."""
        self.answers, self.pages = [(200, "", {})], {}
        self.got.clear()

    def app(self) -> Starlette:
        """The application that listens on every path."""
        return Starlette(routes=[Route("/{path:path}", self._take, methods=["GET", "POST"])])


@contextmanager
def listener() -> Iterator[Listener]:
    """A listening house, or a provider that answers by a script."""
    heard = Listener()
    config = uvicorn.Config(heard.app(), log_level="warning", access_log=False)
    with serving(uvicorn.Server(config)) as url:
        heard.url = url
        yield heard


def free_address() -> str:
    """An address at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


def to_ana(contact_id: str = "c-1", *, to: str = "ana.rojas@cliente.example", status_url: str = "") -> Outgoing:
    """A first reminder to Ana."""
    return Outgoing(
        contact_id=contact_id,
        to=to,
        sender_name="Luz del Sur",
        subject="Factura F-100",
        text="Hola Ana: la factura F-100 venció el lunes. Responde en https://pagos.example/p/abc",
        html="<p>Hola Ana: la factura <b>F-100</b> venció el lunes.</p>",
        language="es",
        status_url=status_url,
        stop_url="https://pagos.example/p/abc/stop",
        reply_to="cobranza@luzdelsur.example",
        category="S3",
    )
