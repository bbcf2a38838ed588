"""A headless Chromium, driven over its debugging pipe: no port, no further library."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any, Self

from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-pipe",
)


class PageLeftError(RuntimeError):
    """The page that was asked gave way to another before it could answer."""


class Browser:
    """One page; Chromium reads commands from its descriptor 3 and answers on 4, each ended by a NUL."""

    def __init__(self, width: int = 1280, height: int = 900, *, scripts: bool = True) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        read_end, self._commands = os.pipe()
        self._answers, write_end = os.pipe()
        shell = f"exec {CHROMIUM} {' '.join(FLAGS)} --user-data-dir={self._folder.name} 3<&{read_end} 4>&{write_end}"
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", shell],
            pass_fds=(read_end, write_end),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_end)
        os.close(write_end)
        self._unread, self._number = b"", 0
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")
        self.resize(width, height)
        self._call("Emulation.setScriptExecutionDisabled", value=not scripts)

    def resize(self, width: int, height: int) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    def go(self, url: str) -> None:
        self._call("Page.navigate", url=url)
        self._loaded()

    def run(self, script: str) -> Any:
        """The value of an expression in the page; works where the page's own scripts are off, too."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.run(f"document.getElementsByName({json.dumps(name)})[0].value = {json.dumps(value)}")

    def click(self, selector: str) -> None:
        """Click, and wait for the page that comes of it."""
        self.run("window.earlier = true")
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self._until("!window.earlier")
        self._loaded()

    @property
    def text(self) -> str:
        return str(self.run("document.body.innerText"))

    @property
    def path(self) -> str:
        return str(self.run("location.pathname"))

    def picture(self, file: Path) -> None:
        data = self._call("Page.captureScreenshot", format="png")["data"]
        file.write_bytes(base64.b64decode(data))

    def _loaded(self) -> None:
        self._until("document.readyState == 'complete'")

    def _until(self, script: str) -> None:
        until(lambda: self._holds(script), script)

    def _holds(self, script: str) -> bool:
        """Whether it is true in a page that stands; asked while one page gives way to the next, it is not yet."""
        try:
            return bool(self.run(script))
        except PageLeftError:
            return False

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (answer := self._answer()).get("id") != self._number:
            pass
        if "error" in answer:
            gone = "navigated" in answer["error"]["message"] or "context was destroyed" in answer["error"]["message"]
            raise (PageLeftError if gone else RuntimeError)(f"{method}: {answer['error']}")
        return answer["result"]

    def _answer(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            piece = os.read(self._answers, 1 << 20)
            assert piece, "Chromium has ended"
            self._unread += piece
        message, _, self._unread = self._unread.partition(b"\0")
        return dict(json.loads(message))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._commands)
        os.close(self._answers)
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        self._folder.cleanup()
