"""A client light enough to leave the machine to what is measured: HTTP/1.1 on kept connections, at a fixed rate or flat out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clock import monotonic

Request = tuple[str, dict[str, str], bytes]
"""Path, headers and body of one POST."""


IDLE_SECONDS = 3.0
"""A server may close what was idle longer; then another connection is made."""


class Connection:
    """One kept connection to 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._used = monotonic()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, request: Request) -> tuple[int, bytes]:
        """Send one request and read its answer; returns status and body."""
        path, headers, body = request
        if monotonic() - self._used > IDLE_SECONDS:
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=2**26)
        reader, writer = self._streams
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        fields = head.decode("latin-1").lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in fields if line.startswith("content-length"))
        answer = await reader.readexactly(length)
        self._used = monotonic()
        return int(fields[0].split()[1]), answer

    def close(self) -> None:
        """Let go of it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@dataclass(frozen=True)
class Load:
    """What a load met: seconds from the moment a request should have left to its answer, and the whole time."""

    latencies: tuple[float, ...]
    seconds: float
    refused: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def share_ms(self, share: float) -> float:
        """The latency within which this share of all answers came, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000


async def flat_out(port: int, requests: Sequence[Request], *, connections: int) -> Load:
    """Each connection sends its next request as soon as the last was answered."""
    waiting = list(reversed(requests))
    latencies: list[float] = []
    refused = 0

    async def caller() -> None:
        nonlocal refused
        connection = Connection(port)
        while waiting:
            began = monotonic()
            status, _ = await connection.post(waiting.pop())
            latencies.append(monotonic() - began)
            refused += status >= 300
        connection.close()

    began = monotonic()
    await asyncio.gather(*(caller() for _ in range(connections)))
    return Load(tuple(latencies), monotonic() - began, refused)


async def at_rate(port: int, make: Callable[[], Request], *, per_second: float, seconds: float, connections: int = 16) -> Load:
    """Requests leave when their moment comes, answered or not; one that had to wait for a connection counts its wait."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(Connection(port))
    latencies: list[float] = []
    refused = 0

    async def send(due: float) -> None:
        nonlocal refused
        connection = await free.get()
        try:
            status, _ = await connection.post(make())
            latencies.append(monotonic() - due)
            refused += status >= 300
        finally:
            free.put_nowait(connection)

    began = monotonic()
    sent: list[asyncio.Task[None]] = []
    for number in range(int(per_second * seconds)):
        due = began + number / per_second
        await asyncio.sleep(max(due - monotonic(), 0))
        sent.append(asyncio.create_task(send(due)))
    await asyncio.gather(*sent)
    took = monotonic() - began
    while not free.empty():
        free.get_nowait().close()
    return Load(tuple(latencies), took, refused)
