"""From the acknowledgement of a gateway's event to its application: threads of this process, fed in the order of arrival.

What they do not get to (this process was killed) the worker applies, and so does a claim that would pass it.
"""

from __future__ import annotations

import threading
from collections import deque
from uuid import UUID

from sqlalchemy import Engine

from activities.arrived import apply_event
from ledger.sealing import Sealer

THREADS = 3
"""An application waits for eight round trips; so many run side by side, and leave the rest of the pool to requests."""
QUEUE_MOST = 10_000
"""More than this is left to the worker."""


class Handover:
    """Takes events that are on disk and applies them soon. Threads begin with the first event and end with `close`."""

    def __init__(self, engine: Engine, sealer: Sealer) -> None:
        self._engine = engine
        self._sealer = sealer
        self._waiting: deque[tuple[UUID, int]] = deque()
        self._busy = 0
        self._closed = False
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    def put(self, creditor_id: UUID, inbox_id: int) -> None:
        """Apply that event as soon as a thread is free; returns at once."""
        with self._changed:
            if self._closed or len(self._waiting) >= QUEUE_MOST:
                return
            self._waiting.append((creditor_id, inbox_id))
            if len(self._threads) < THREADS:
                thread = threading.Thread(target=self._run, name=f"handover-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def drain(self, seconds: float = 30.0) -> bool:
        """Wait until everything put so far has been applied or is known to need another try; false when it takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout=seconds)

    def close(self) -> None:
        """Finish what runs, leave the rest to the worker."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                creditor_id, inbox_id = self._waiting.popleft()
                self._busy += 1
            try:
                apply_event(self._engine, self._sealer, creditor_id, inbox_id)
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()
