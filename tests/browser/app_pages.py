"""The pages of the test's host of MCP Apps, on two ports: the host and its sandbox have different origins."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

_FOLDER = Path(__file__).parent / "app_host"
_SCRIPT = "text/javascript; charset=utf-8"
_TYPES = {".html": "text/html; charset=utf-8", ".js": _SCRIPT, ".mjs": _SCRIPT}


class _Pages(BaseHTTPRequestHandler):
    def __init__(self, packages: Path | None, *given: Any) -> None:
        self._packages = packages
        super().__init__(*given)

    def do_GET(self) -> None:
        """A file of the folder, or of a package of npm, with the policy that the address asks for."""
        asked = urlsplit(self.path)
        place, _, name = asked.path[1:].partition("npm/")
        file = self._packages / name if self._packages and name else _FOLDER / place
        if not file.is_file():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", _TYPES[file.suffix])
        for policy in parse_qs(asked.query).get("csp", []):
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(file.read_bytes())

    def log_message(self, *_: object) -> None:
        """Nothing: the tests' output is not the place."""


@contextmanager
def pages(packages: Path | None = None) -> Iterator[tuple[str, str]]:
    """The addresses of the host and of its sandbox; `packages` is the folder node_modules."""
    with ExitStack() as stack:
        yield stack.enter_context(_serving(packages)), stack.enter_context(_serving(None))


@contextmanager
def _serving(packages: Path | None) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, packages)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
