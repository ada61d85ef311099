"""The folder ``samples/web`` on this machine alone, with onnxruntime-web and files where the page looks for them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "samples" / "web"
ONNXRUNTIME_WEB = ROOT / "build" / "runtimes" / "web" / "node_modules" / "onnxruntime-web" / "dist"


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: object, files: Mapping[str, Path], **kwargs: object) -> None:
        self._files = files
        super().__init__(*args, directory=str(PAGE), **kwargs)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        if path in self._files:
            return str(self._files[path])
        if path.startswith("/ort/"):
            return str(ONNXRUNTIME_WEB / Path(path).name)
        return super().translate_path(path)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(files: Mapping[str, Path]) -> Iterator[str]:
    """The address of the page; ``files`` has more of them by path, such as ``/model.onnx``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, files=files))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
