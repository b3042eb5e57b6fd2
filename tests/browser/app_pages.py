"""The pages of the test's host of MCP Apps, on two ports: the host and its sandbox have different origins."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

_FOLDER = Path(__file__).parent / "app_host"
_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """A file of the folder, with the policy that the address asks for."""
        asked = urlsplit(self.path)
        file = _FOLDER / asked.path.rpartition("/")[2]
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
def pages() -> Iterator[tuple[str, str]]:
    """The addresses of the host and of its sandbox."""
    with ExitStack() as stack:
        yield stack.enter_context(_serving()), stack.enter_context(_serving())


@contextmanager
def _serving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
