"""Child processes on one machine: started, waited for, restarted with back-off, and never left behind.

A child is told by the kernel when its supervisor dies (Linux); elsewhere, and after a crash at a bad moment, the next start finds
it again by its pid file. Every error is a `Trouble` whose text is one line: what is wrong and what to do.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clock import monotonic

LOG_BYTES_MAX = 20_000_000
"""A log longer than this is set aside as <name>.log.1 when its process starts again."""
RESTART_WAITS_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
"""Least time between the last start and the nth restart in a row; a process that stayed up for STEADY_S begins at the first."""
STEADY_S = 5.0
_POLL_S = 0.1
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
# The kernel signals a child when the THREAD that started it ends, so all children are started by one thread that lasts.
_nursery = ThreadPoolExecutor(max_workers=1, thread_name_prefix="puntual-nursery")


class Trouble(RuntimeError):
    """Something a person can put right; the text is one line that says how."""


@dataclass(frozen=True)
class Part:
    """One process to keep running."""

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    """True once it serves; may raise nothing. Called every 0.1 s until it does."""
    prepare: Callable[[], None] = lambda: None
    """Called before each start; may raise Trouble."""
    env: Mapping[str, str] | None = None
    user: int | None = None
    """A user id to run as, with the group below; only root may say one."""
    group: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    start_s_max: float = 30.0
    stop_s_max: float = 15.0
    cwd: Path | None = None
    yields: int = 0
    """How far it steps back when the processor is busy (as `nice`): what answers somebody goes before what can wait."""


def _step_back_as_a_group(yields: int) -> None:
    """Where the kernel groups by session, as on a desktop, niceness counts only within a group, and each part is one."""
    for _ in range(4):
        try:
            with open("/proc/self/autogroup", "w") as group:
                group.write(str(yields))
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.15)  # the kernel lets users other than root change one group in a tenth of a second


def _in_the_child(number: int, parent: int, yields: int) -> Callable[[], None]:
    libc = _libc

    def in_the_child() -> None:
        if yields:
            os.nice(yields)
            _step_back_as_a_group(yields)
        if libc is None:
            return
        libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return in_the_child


def _spawn(part: Part, log: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(part.command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=part.cwd,
            env=None if part.env is None else dict(part.env),
            user=part.user,
            group=part.group,
            extra_groups=None if part.user is None else [],
            start_new_session=True,  # Ctrl-C in the terminal goes to the supervisor, which stops the parts in order
            preexec_fn=_in_the_child(part.stop_signal, os.getpid(), part.yields),
        )
    except FileNotFoundError:
        raise Trouble(f"{part.name}: {part.command[0]} is missing: run `make install` again") from None
    except PermissionError as error:
        raise Trouble(f"{part.name}: cannot run {part.command[0]} ({error.strerror}): check who may enter its folder") from None


def command_of(pid: int) -> str | None:
    """The command line of a living process, None when there is none (a zombie counts as none)."""
    proc = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        try:
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip() or None
        except OSError:
            return None
    shown = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return shown.stdout.strip() or None


def end_process(pid: int, number: signal.Signals, wait_s: float = 15.0) -> None:
    """Ask a process that is not our child to end, then make it end; returns when it is gone."""
    command = command_of(pid)
    for attempt in (number, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, attempt)
        until = monotonic() + wait_s
        while command is not None and command_of(pid) == command and monotonic() < until:
            threading.Event().wait(_POLL_S)
        if command is None or command_of(pid) != command:
            return


class Running:
    """A part and its present process."""

    def __init__(self, part: Part, run_folder: Path) -> None:
        self.part = part
        self.restarts = 0
        self._pid_file = run_folder / f"{part.name}.pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0
        """Where the words of the present process begin."""
        self.started_s = 0.0

    @property
    def pid(self) -> int:
        """Of the present process; 0 when none was started."""
        return self._process.pid if self._process else 0

    def alive(self) -> bool:
        """Whether the process runs; reaps it when it has ended."""
        return self._process is not None and self._process.poll() is None

    def ending(self) -> str:
        """How the last process ended, in brackets; empty when it has not."""
        code = self._process.returncode if self._process else None
        if code is None:
            return ""
        return f" (killed by {signal.Signals(-code).name})" if code < 0 else f" (code {code}: {self._last_words()})"

    def _last_words(self) -> str:
        return last_words(self.part.log, self._log_from)

    def start(self) -> None:
        """Start without waiting; raises Trouble when it cannot be started at all."""
        self.reclaim()
        self.part.prepare()
        self.part.log.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if self.part.log.stat().st_size > LOG_BYTES_MAX:
                self.part.log.replace(self.part.log.with_suffix(".log.1"))
        with self.part.log.open("ab") as log:
            self._log_from = log.tell()
            self._process = _nursery.submit(_spawn, self.part, log).result()
        self.started_s = monotonic()
        fresh = self._pid_file.with_suffix(".new")
        fresh.write_text(f"{self._process.pid}\n{' '.join(self.part.command)}\n")
        fresh.replace(self._pid_file)

    def wait_ready(self, stop: threading.Event | None = None) -> None:
        """Until it serves; raises Trouble with the end of its log when it ends or takes longer than start_s_max."""
        pause = stop or threading.Event()
        while not self.part.ready():
            if not self.alive():
                raise Trouble(f"{self.part.name} ended at start: {self._last_words()} (all of it: {self.part.log})")
            if monotonic() - self.started_s > self.part.start_s_max:
                raise Trouble(f"{self.part.name} did not answer within {self.part.start_s_max:.0f} s: see {self.part.log}")
            if pause.wait(_POLL_S):
                return

    def stop(self) -> None:
        """Ask it to end, then make it end; returns when it has."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(self.part.stop_signal)
            try:
                process.wait(self.part.stop_s_max)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._pid_file.unlink(missing_ok=True)

    def reclaim(self) -> None:
        """End what an earlier supervisor that died left running under this name."""
        try:
            pid_text, command = self._pid_file.read_text().splitlines()[:2]
            pid = int(pid_text)
        except (FileNotFoundError, ValueError):
            return
        if pid != self.pid and command_of(pid) == command:
            end_process(pid, self.part.stop_signal, self.part.stop_s_max)


def last_words(log: Path, begin: int = 0) -> str:
    """The last line of a log that looks like a reason, else its last line; from byte `begin` on, where a start began to speak."""
    try:
        with log.open("rb") as opened:
            opened.seek(max(begin, log.stat().st_size - 8000))
            lines = [line.strip() for line in opened.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "no log"
    reasons = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "Error:", "error:", "Trouble"))]
    return (reasons or lines or ["its log is empty"])[-1][:300]


class Supervisor:
    """Starts parts in order, keeps them running, stops them in reverse order. One supervisor for each folder."""

    def __init__(
        self, home: Path, say: Callable[[str], None] = lambda line: None, *, waits_s: Sequence[float] = RESTART_WAITS_S
    ) -> None:
        self._home = home
        self._waits_s = waits_s
        self._run = home / "run"
        self._say = say
        self._running: dict[str, Running] = {}
        self._stop = threading.Event()
        self._watch: threading.Thread | None = None
        self._lock: IO[str] | None = None
        self._guard = threading.Lock()

    def lock(self) -> None:
        """Take the folder; raises Trouble when another supervisor has it. The lock goes with its process, so none is stale."""
        if self._lock is not None:
            return
        try:
            self._run.mkdir(parents=True, exist_ok=True)
            opened = (self._run / "supervisor.lock").open("a+")
        except OSError as error:
            raise Trouble(
                f"cannot write in {self._run} ({error.strerror}): change its owner, or set PUNTUAL_HOME to a folder of yours"
            ) from None
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            opened.seek(0)
            holder = opened.read().strip() or "unknown"
            opened.close()
            raise Trouble(
                f"another puntual (process {holder}) is running on {self._home}: stop it, or set PUNTUAL_HOME to another folder"
            ) from None
        opened.seek(0)
        opened.truncate()
        opened.write(f"{os.getpid()}\n")
        opened.flush()
        self._lock = opened

    def look_ahead(self, parts: Sequence[Part]) -> None:
        """End what an earlier supervisor left of these parts and prepare each; raises Trouble before any of them is started."""
        self.lock()
        for part in parts:
            Running(part, self._run).reclaim()
            part.prepare()

    def start(self, part: Part) -> Running:
        """Start a part and wait until it serves; from then on it is kept running. Raises Trouble when it does not come up."""
        self.lock()
        running = Running(part, self._run)
        running.start()
        try:
            running.wait_ready(self._stop)
            if self._stop.is_set():
                raise Trouble("stopped before everything was up")
        except Trouble:
            running.stop()
            raise
        with self._guard:
            self._running[part.name] = running
        if self._watch is None:
            self._watch = threading.Thread(target=self._keep, name="puntual-supervisor", daemon=True)
            self._watch.start()
        return running

    def pid(self, name: str) -> int:
        """The present process of a part; KeyError for a part that was never started."""
        return self._running[name].pid

    def restart(self, name: str) -> None:
        """Stop a part and wait until it serves again; raises Trouble when it does not come up."""
        with self._guard:
            running = self._running[name]
            running.stop()
            running.start()
        running.wait_ready(self._stop)

    def is_up(self, name: str) -> bool:
        """Whether the present process of a part runs and serves."""
        running = self._running[name]
        return running.alive() and running.part.ready()

    def wait(self) -> None:
        """Until `ask_to_stop` is called."""
        self._stop.wait()

    def ask_to_stop(self) -> None:
        """Let `wait` return; safe in a signal handler."""
        self._stop.set()

    def stop(self) -> None:
        """Stop every part, the last started first, and give the folder back."""
        self._stop.set()
        if self._watch is not None:
            self._watch.join()
        with self._guard:
            for running in reversed(self._running.values()):
                running.stop()
            self._running.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _keep(self) -> None:
        while not self._stop.wait(_POLL_S):
            with self._guard:
                parts = list(self._running.values())
            for running in parts:
                if not running.alive() and not self._stop.is_set():
                    self._restart(running)

    def _restart(self, running: Running) -> None:
        if running.pid and monotonic() - running.started_s > STEADY_S:
            running.restarts = 0
        wait_s = self._waits_s[min(running.restarts, len(self._waits_s) - 1)]
        if monotonic() - running.started_s < wait_s:
            return
        running.restarts += 1
        self._say(f"{running.part.name} ended{running.ending()}: starting it again")
        try:
            running.start()
        except Trouble as trouble:
            running.started_s = monotonic()
            self._say(str(trouble))


def free_port() -> int:
    """A TCP port of the loop-back that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether something accepts connections on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def refuse_busy_port(port: int, *, what: str, option: str) -> None:
    """Raise Trouble when the port cannot be taken; `option` names what to set to use another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise Trouble(f"port {port} of {what} may not be taken by this user: choose one above 1023 with {option}") from None
        except OSError:
            raise Trouble(f"port {port} of {what} is busy: stop what listens there, or choose another with {option}") from None
