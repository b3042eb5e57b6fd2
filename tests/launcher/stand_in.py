"""A stand-in for any of our services: answers /health, remembers its webhook, obeys files in its folder."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from core.registry import SERVICES


def main(name: str) -> None:
    if Path(f"{name}.refuses").exists():
        sys.exit(f"{name} has lost its settings")
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers).serve_forever()


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/health":
            self._answer(404, b"")
            return
        deaf = f"{os.environ['PORT']}.deaf"
        healthy = "false" if Path(deaf).exists() else "true"
        self._answer(200, f'{{"accounts": {{"default": {{"healthy": {healthy}}}}}}}'.encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def build(folder: Path) -> Path:
    """Packages named as ours, to be found first by whoever starts in this folder."""
    for name in (service.package for service in SERVICES):
        _module(folder, f"{name}.__main__", f"from tests.launcher.stand_in import main\nmain({name!r})")
    _module(folder, "orchestrator.store.migrate", "print('migrated')")
    _module(
        folder,
        "examples.agent.__main__",
        "import signal\nprint('agent saw a turn')\nsignal.pause()",
    )
    return folder


def _module(folder: Path, name: str, code: str) -> None:
    path = folder.joinpath(*name.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    # A namespace package would lose against the real one further down the path.
    for package in path.relative_to(folder).parents[:-1]:
        (folder / package / "__init__.py").touch()
