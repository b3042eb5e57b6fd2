"""The callback servers as they stand (contract §3.5)."""

import secrets
from dataclasses import dataclass, field

from sandbox.vk.events import VERSION

MOST_SERVERS = 10


@dataclass(slots=True)
class Server:
    """`status`: wait while the confirmation goes on, then ok or failed; `failures` in a row (§4.2)."""

    id: int
    url: str
    title: str
    secret: str
    status: str = "unconfigured"
    api_version: str = VERSION
    flags: dict[str, int] = field(default_factory=dict)
    failures: int = 0


class Registry:
    """The servers and the confirmation code of the moment."""

    def __init__(self, *, rotates: bool) -> None:
        self._rotates = rotates
        self._last_id = 0
        self.servers: dict[int, Server] = {}
        self.code = _new_code()

    def add(self, url: str, title: str, secret: str) -> Server:
        self._last_id += 1
        self.servers[self._last_id] = Server(self._last_id, url, title, secret)
        return self.servers[self._last_id]

    def holds(self, server: Server) -> bool:
        return self.servers.get(server.id) is server

    def remove(self, server: Server) -> None:
        self.servers.pop(server.id, None)

    def rotate(self) -> None:
        """The code changes when a server is added or its settings are edited."""
        if self._rotates:
            self.code = _new_code()

    def fail_all(self) -> None:
        for server in self.servers.values():
            server.status = "failed"

    def forget(self) -> None:
        self.servers.clear()


def _new_code() -> str:
    return secrets.token_hex(4)
