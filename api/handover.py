"""From the acknowledgement of a gateway's event to its application: threads of this process, fed in the order of arrival.

Events about one customer are applied one after the other, as they came. What the threads do not get to (this process was killed)
the worker applies, and so does a claim that would pass it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from uuid import UUID

from sqlalchemy import Engine

from activities.arrived import apply_event
from clock import monotonic
from ledger.sealing import Sealer

log = logging.getLogger("puntual.handover")

THREADS = 3
"""An application waits for eight round trips; so many run side by side, and leave the rest of the pool to requests."""
QUEUE_MOST = 10_000
"""More than this is left to the worker."""
CLOSE_SECONDS = 10.0
"""So long a stop waits for what runs; what is cut off is rolled back, and applied by the worker."""
_Lane = tuple[UUID, UUID | None]
"""Whose events are applied in their order: a creditor's about one customer, and those of which it is not known."""


class Handover:
    """Takes events that are on disk and applies them soon. Threads begin with the first event and end with `close`."""

    def __init__(self, engine: Engine, sealer: Sealer) -> None:
        self._engine = engine
        self._sealer = sealer
        self._lanes: dict[_Lane, deque[int]] = {}
        """What waits; a lane of which one is being applied is here too, empty or not, and not in `_ready`."""
        self._ready: deque[_Lane] = deque()
        self._count = 0
        self._closed = False
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    def put(self, creditor_id: UUID, inbox_id: int, *, about: UUID | None = None) -> None:
        """Apply that event, which is about one customer, as soon as a thread is free; returns at once."""
        with self._changed:
            if self._closed or self._count >= QUEUE_MOST:
                return
            lane = (creditor_id, about)
            if lane not in self._lanes:
                self._lanes[lane] = deque()
                self._ready.append(lane)
            self._lanes[lane].append(inbox_id)
            self._count += 1
            if len(self._threads) < THREADS:
                thread = threading.Thread(target=self._run, name=f"handover-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify_all()

    def drain(self, seconds: float = 30.0) -> bool:
        """Wait until everything put so far has been applied or is known to need another try; false when it takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._lanes, timeout=seconds)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Finish what runs, within `seconds`; leave the rest to the worker."""
        with self._changed:
            self._closed = True
            while self._ready:
                del self._lanes[self._ready.popleft()]
            for waiting in self._lanes.values():
                waiting.clear()
            self._changed.notify_all()
        until = monotonic() + seconds
        for thread in self._threads:
            thread.join(max(until - monotonic(), 0.0))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._closed)
                if self._closed:
                    return
                lane = self._ready.popleft()
                inbox_id = self._lanes[lane].popleft()
            try:
                apply_event(self._engine, self._sealer, lane[0], inbox_id)
            except Exception as error:  # a thread that ended would be missed by nobody
                log.error("event %s is left to the worker: %s", inbox_id, type(error).__name__)
            with self._changed:
                self._count -= 1
                if self._lanes[lane]:
                    self._ready.append(lane)
                else:
                    del self._lanes[lane]
                self._changed.notify_all()
