"""A real browser for tests and pictures: headless Chromium, driven over the DevTools protocol.

Nothing here sleeps. A wait is a promise inside the page, settled by the page's own changes or by a deadline.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import websocket

from clock import monotonic

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb",
    "--lang=en-GB", "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE_SECONDS = 30.0
_LISTENS = re.compile(rb"DevTools listening on (ws://\S+)")
_GONE = ("navigated", "context was destroyed", "Cannot find context", "not attached")
"""What the protocol says when a page went away under a question: ask the next page."""

_SEEN = """
[document, ...[...document.querySelectorAll('iframe')].map(f => { try { return f.contentDocument } catch (e) { return null } })]
  .map(d => d && d.body ? d.body.innerText : '').join(' ').replace(/\\s+/g, ' ')
"""
"""What a reader sees, also in frames of the same origin (the Temporal UI shows markdown in them)."""
_UNTIL = """
new Promise((resolve, reject) => {
  const found = () => { try { return %(test)s } catch (e) { return null } };
  const now = found(); if (now) { resolve(true); return }
  const eye = new MutationObserver(() => { if (found()) { eye.disconnect(); resolve(true) } });
  document.addEventListener('load', () => { if (found()) resolve(true) }, true);
  eye.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
  setTimeout(() => { eye.disconnect(); reject(new Error('deadline')) }, %(ms)d);
})
"""
_FIND = """
(() => {
  const wanted = %(wanted)s;
  const seen = e => e.getClientRects().length > 0;
  let found = null;
  try { found = [...document.querySelectorAll(wanted)].find(seen) } catch (e) { }
  found = found || [...document.querySelectorAll('a,button,summary,label,[role=tab],[role=button],input[type=submit]')]
    .find(e => seen(e) && (e.innerText || e.value || '').trim().replace(/\\s+/g, ' ') === wanted);
  found = found || [...document.querySelectorAll('a,button,summary,label,[role=tab],[role=button]')]
    .find(e => seen(e) && (e.innerText || '').replace(/\\s+/g, ' ').includes(wanted));
  return found;
})()
"""


class NotShown(AssertionError):
    """What was waited for did not appear; says what the page showed instead."""


class Browser:
    """One browser with one page. Use it as a context manager."""

    def __init__(self, *, width: int = 1280, height: int = 900) -> None:
        found = next((path for name in NAMES if (path := shutil.which(name))), None)
        if found is None:
            raise RuntimeError(f"no browser: install chromium (Debian: apt-get install chromium); looked for {', '.join(NAMES)}")
        self._home = tempfile.mkdtemp(prefix="puntual-browser-")
        self._process = subprocess.Popen(
            [found, *FLAGS, f"--user-data-dir={self._home}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        """What the page's console said was wrong: refused by its policy, or thrown."""
        self._socket = websocket.create_connection(self._address(), timeout=PATIENCE_SECONDS, suppress_origin=True)
        self._session = ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self.size(width, height)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and forget its profile."""
        self._socket.close()
        self._process.terminate()
        self._process.wait(10)
        shutil.rmtree(self._home, ignore_errors=True)

    def size(self, width: int, height: int, *, scale: float = 1.0, phone: bool = False) -> None:
        """The size of the page in CSS pixels; a phone reads its viewport and takes touches."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone)

    def dark(self, on: bool = True) -> None:
        """Whether the reader prefers dark pages."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]
        self._call("Emulation.setEmulatedMedia", features=features)

    def without_scripts(self) -> None:
        """From the next page on, no script of a page runs."""
        self._call("Emulation.setScriptExecutionDisabled", value=True)

    def open(self, url: str) -> None:
        """Go there and wait until it is loaded."""
        self._events.clear()
        answer = self._call("Page.navigate", url=url)
        if answer.get("errorText"):
            raise NotShown(f"{url}: {answer['errorText']}")
        if "loaderId" in answer:
            self._loaded()

    def cookie(self, name: str, value: str, url: str) -> None:
        """Keep a cookie for that address, as if the page there had set it."""
        self._call("Network.setCookie", name=name, value=value, url=url)

    @property
    def url(self) -> str:
        """Where the page is."""
        return str(self.run("location.href"))

    def text(self) -> str:
        """What the page shows, in one line."""
        return str(self.run(_SEEN)).strip()

    def run(self, expression: str, *, wait: bool = False, patience: float = PATIENCE_SECONDS) -> Any:
        """Evaluate in the page; `wait` waits for a promise."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=wait, patience=patience + 5
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise NotShown(str(details.get("exception", {}).get("description") or details["text"]))
        return answer["result"].get("value")

    def wait_for(self, *, text: str = "", selector: str = "", patience: float = PATIENCE_SECONDS) -> None:
        """Until the page shows a text and has an element, also across navigations; raises NotShown at the deadline."""
        words = f"({_SEEN}).includes({json.dumps(text)})"
        element = f"document.querySelector({json.dumps(selector)})"
        test = " && ".join([words] * bool(text) + [element] * bool(selector))
        ends = monotonic() + patience
        while (left := ends - monotonic()) > 0:
            try:
                self.run(_UNTIL % {"test": test, "ms": int(left * 1000)}, wait=True, patience=left)
                return
            except NotShown:
                continue
            except _PageGone:
                continue
        raise NotShown(f"{text or selector!r} did not appear in {patience:.0f} s at {self.url}; it shows: {self.text()[:1500]}")

    def click(self, what: str) -> None:
        """Press on the middle of an element: a CSS selector, or the words on a link, button or tab."""
        find = _FIND % {"wanted": json.dumps(what)}
        spot = self.run(
            f"(() => {{ const e = {find}; if (!e) return null; e.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            " const r = e.getClientRects()[0]; return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        if spot is None:
            raise NotShown(f"there is nothing to click called {what!r} at {self.url}; it shows: {self.text()[:1500]}")
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=spot[0], y=spot[1], button="left", clickCount=1)

    def follow(self, what: str) -> None:
        """Click on what leads to another page, and wait until that is loaded."""
        self._events.clear()
        self.click(what)
        self._loaded()

    def fill(self, selector: str, value: str) -> None:
        """Write into a field, in place of what it holds."""
        kind = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null; e.focus();"
            " if (e.select && e.type !== 'date') e.select(); return e.type })()"
        )
        if kind is None:
            raise NotShown(f"there is no field {selector!r} at {self.url}")
        if kind in ("date", "select-one"):
            tell = "for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind, {bubbles: true}))"
            self.run(
                f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.value = {json.dumps(value)}; {tell} }})()"
            )
        else:
            self._call("Input.insertText", text=value)

    def press(self, key: str) -> None:
        """One key: `Tab`, `Enter`."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27}
        more: dict[str, Any] = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **more)

    def screenshot(self, path: Path, *, full: bool = False) -> None:
        """A PNG of what is seen, or of the whole page."""
        self.run("document.fonts ? document.fonts.ready.then(() => true) : true", wait=True)
        picture = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=full, optimizeForSpeed=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def _address(self) -> str:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := _LISTENS.search(line):
                return found[1].decode()
        raise RuntimeError(f"{self._process.args!r} ended before it listened")

    def _call(self, method: str, *, patience: float = PATIENCE_SECONDS, **params: Any) -> dict[str, Any]:
        self._number += 1
        question: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            question["sessionId"] = self._session
        self._socket.settimeout(patience)
        self._socket.send(json.dumps(question))
        while True:
            answer = self._read()
            if answer.get("id") != self._number:
                continue
            if "error" in answer:
                said = answer["error"]["message"]
                raise _PageGone(said) if any(word in said for word in _GONE) else RuntimeError(f"{method}: {said}")
            result: dict[str, Any] = answer["result"]
            return result

    def _read(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv())
        if "method" in message:
            self._events.append(message)
            self._listen(message["method"], message["params"])
        return message

    def _listen(self, method: str, params: dict[str, Any]) -> None:
        if method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]["text"]))

    def _loaded(self) -> None:
        """Until a page has come since the events were cleared, and is loaded; the load of the page before it does not count."""
        ends = monotonic() + PATIENCE_SECONDS
        while True:
            pages = [n for n, event in enumerate(self._events) if _is_new_page(event)]
            if pages and any(event["method"] == "Page.loadEventFired" for event in self._events[pages[-1] :]):
                return
            self._socket.settimeout(max(ends - monotonic(), 0.1))
            try:
                self._read()
            except websocket.WebSocketTimeoutException:
                raise NotShown(f"no page was loaded in {PATIENCE_SECONDS:.0f} s") from None


def _is_new_page(event: dict[str, Any]) -> bool:
    return bool(event["method"] == "Page.frameNavigated" and "parentId" not in event["params"]["frame"])


class _PageGone(Exception):
    """The page was left while it was asked."""


@contextmanager
def browsing(**options: int) -> Iterator[Browser]:
    """A browser for a block."""
    with Browser(**options) as browser:
        yield browser
