"""A headless Chromium that this process drives, through the pipe of its DevTools protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from types import TracebackType
from typing import Any

_IN_FRONT = (
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-background-timer-throttling",
)
"""A page that nobody sees has the lowest priority otherwise."""
_SOFTWARE_GPU = (
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
    "--use-vulkan=swiftshader",
)


class Page:
    """An empty page; a context manager, at whose end the browser ends.

    Args:
        software_gpu: give WebGPU an adapter that computes on the processor.
    """

    def __init__(self, software_gpu: bool = False) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, self._orders = os.pipe()
        answers, from_browser = os.pipe()
        command = [
            shutil.which("chromium") or "chromium",
            "--headless=new",
            "--no-sandbox",
            "--remote-debugging-pipe",
            f"--user-data-dir={self._profile.name}",
            *_IN_FRONT,
            *(_SOFTWARE_GPU if software_gpu else ()),
        ]
        # Chromium reads orders from descriptor 3 and answers on 4, which a shell puts there.
        shell = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self._browser = subprocess.Popen(
            ["bash", "-c", shell, "chromium", *command],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._answers = os.fdopen(answers, "rb")
        self._unread = b""
        self._sent = 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __enter__(self) -> Page:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._browser.terminate()
        self._browser.wait()
        os.close(self._orders)
        self._answers.close()
        self._profile.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a method of the DevTools protocol.

        Raises:
            RuntimeError: the browser refuses, or has ended.
        """
        self._sent += 1
        order = {"id": self._sent, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        message = json.dumps(order).encode() + b"\0"
        while message:
            message = message[os.write(self._orders, message) :]
        while (answer := self._next()).get("id") != self._sent:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, address: str) -> None:
        """Goes to ``address``, and waits until its modules have run."""
        self.call("Page.navigate", url=address)
        self.evaluate(
            "new Promise(done => {const look = () => "
            f"location.href.startsWith({json.dumps(address)}) && document.readyState === 'complete' "
            "? done() : setTimeout(look, 20); look()})"
        )

    def evaluate(self, expression: str) -> Any:
        """What ``expression`` comes to, its promises kept.

        Raises:
            RuntimeError: it throws.
        """
        done = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            thrown = done["exceptionDetails"]
            raise RuntimeError(thrown.get("exception", {}).get("description", thrown["text"]))
        return done["result"].get("value")

    def choose_file(self, selector: str, path: str) -> None:
        """Chooses the file at ``path`` in the input that ``selector`` finds."""
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[path])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            more = os.read(self._answers.fileno(), 1 << 20)
            if not more:
                raise RuntimeError("chromium has ended")
            self._unread += more
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)
