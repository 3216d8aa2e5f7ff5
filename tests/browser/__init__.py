"""A headless browser under a test's control, by the DevTools protocol (JSON messages)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.browser import chromium, webengine

DEADLINE = 120  # seconds for one answer: a cold start on a busy machine takes long


class Wire(Protocol):
    """How messages get to the browser and back."""

    def send(self, message: str) -> None: ...
    def receive(self, seconds: float) -> str:
        """The next message, at most `seconds` from now."""


class Page:
    """One tab. `complaints` are the errors of its console so far, `requests` the addresses that it asked for."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._number = 0
        self._session = ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        (target,) = [t for t in self._wait_for_target() if t["type"] == "page"][:1]
        found = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _wait_for_target(self) -> list[dict[str, Any]]:
        limit = time.monotonic() + DEADLINE
        while True:
            found: list[dict[str, Any]] = self.call("Target.getTargets")["targetInfos"]
            if any(target["type"] == "page" for target in found):
                return found
            assert time.monotonic() < limit, "the browser opens no page"
            self.call("Target.createTarget", url="about:blank")

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._wire.send(json.dumps(message))
        while True:
            answer = json.loads(self._wire.receive(DEADLINE))
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        values = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(values["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if values["type"] in ("error", "assert", "warning"):
                self.complaints.append(json.dumps(values["args"]))
            case "Log.entryAdded" if values["entry"]["level"] in ("error", "warning"):
                self.complaints.append(values["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(values["request"]["url"])

    def open(self, address: str, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a page, and wait until it says that it is drawn (`data-ready` of the document)."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)
        self.until("location.href != 'about:blank' && document.documentElement?.dataset.ready == 'yes'")

    def until(self, condition: str) -> None:
        limit = time.monotonic() + DEADLINE
        while not self.value(condition):
            assert time.monotonic() < limit, f"never true: {condition}; {self.complaints}"
            time.sleep(0.05)

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Keys by name (`Enter`), or text, as a keyboard sends them."""
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowRight": 39}
        for key in keys:
            if key in codes:
                more = {"text": "\r"} if key == "Enter" else {}
                for kind in ("keyDown", "keyUp"):
                    values = {"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
                    self.call("Input.dispatchKeyEvent", **values, **(more if kind == "keyDown" else {}))
            else:
                for letter in key:
                    self.call("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter)
                    self.call("Input.dispatchKeyEvent", type="keyUp", key=letter)


@contextmanager
def start() -> Iterator[Page]:
    """A browser of its own, ended afterwards with everything it started: Chromium, else Qt's web engine."""
    with chromium.start() if chromium.there() else webengine.start() as wire:
        yield Page(wire)


def address(path: Path) -> str:
    return path.resolve().as_uri()
