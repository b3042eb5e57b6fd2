"""Administration of the callback servers (contract §3.5)."""

import re
from typing import Any
from urllib.parse import urlsplit

from sandbox.vk.community import Community, new_key
from sandbox.vk.deliveries import Deliveries
from sandbox.vk.errors import fail, wrong
from sandbox.vk.events import KNOWN, OTHERS, VERSION, is_event
from sandbox.vk.gate import Call, Method
from sandbox.vk.params import Params
from sandbox.vk.registry import MOST_SERVERS, Registry, Server
from sandbox.vk.targets import check_group

LONGEST_TITLE, LONGEST_SECRET = 14, 50
_VERSION = re.compile(r"[0-9]{1,2}\.[0-9]{1,3}")


class Servers:
    """A new server is asked to confirm at once; it gets no events until flags are set (§3.5, inferred)."""

    def __init__(
        self, community: Community, registry: Registry, deliveries: Deliveries, admin_id: int
    ) -> None:
        self._community = community
        self._registry = registry
        self._deliveries = deliveries
        self._admin_id = admin_id

    def methods(self) -> dict[str, Method]:
        return {
            "groups.getCallbackConfirmationCode": self._code,
            "groups.addCallbackServer": self._add,
            "groups.editCallbackServer": self._edit,
            "groups.deleteCallbackServer": self._delete,
            "groups.getCallbackServers": self._list,
            "groups.setCallbackSettings": self._set,
            "groups.getCallbackSettings": self._settings,
        }

    def _code(self, call: Call) -> dict[str, Any]:
        check_group(self._community, call.params, needed=True)
        return {"code": self._registry.code}

    def _add(self, call: Call) -> dict[str, Any]:
        check_group(self._community, call.params, needed=True)
        url, title, secret = _fields(call.params)
        if len(self._registry.servers) >= MOST_SERVERS:
            fail(2000)
        server = self._registry.add(url, title, secret)
        self._deliveries.confirm(server, new_key())
        return {"server_id": server.id}

    def _edit(self, call: Call) -> int:
        server = self._server(call.params)
        server.url, server.title, server.secret = _fields(call.params)
        self._deliveries.confirm(server, new_key())
        return 1

    def _delete(self, call: Call) -> int:
        self._registry.remove(self._server(call.params))
        return 1

    def _list(self, call: Call) -> dict[str, Any]:
        check_group(self._community, call.params, needed=True)
        wanted = call.params.numbers("server_ids", most=MOST_SERVERS)
        found = [s for s in self._registry.servers.values() if not wanted or s.id in wanted]
        return {"count": len(found), "items": [self._view(server) for server in found]}

    def _view(self, server: Server) -> dict[str, Any]:
        return {
            "id": server.id,
            "title": server.title,
            "creator_id": self._admin_id,
            "url": server.url,
            "secret_key": server.secret,
            "status": server.status,
        }

    def _set(self, call: Call) -> int:
        """Only the flags that are given change."""
        server, params = self._server(call.params), call.params
        version = params.text("api_version", server.api_version)
        if not _VERSION.fullmatch(version):
            wrong("api_version is invalid")
        flags = {name: int(params.flag(name)) for name in params.given if is_event(name)}
        server.api_version = version
        server.flags |= flags
        self._registry.rotate()
        return 1

    def _settings(self, call: Call) -> dict[str, Any]:
        server = self._server(call.params)
        events = {**dict.fromkeys((*KNOWN, *OTHERS), 0), **server.flags}
        return {"api_version": server.api_version or VERSION, "events": events, "is_enabled": True}

    def _server(self, params: Params) -> Server:
        check_group(self._community, params, needed=True)
        return self._registry.servers.get(params.required_number("server_id")) or fail(104)


def _fields(params: Params) -> tuple[str, str, str]:
    url = params.required("url")
    if not _is_web_address(url):
        wrong("url is invalid")
    title = params.required("title", longest=LONGEST_TITLE)
    return url, title, params.text("secret_key", longest=LONGEST_SECRET)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname)
        return known and url.isprintable() and parts.port != 0
    except ValueError:
        return False
