"""A simulated Wappi account without sockets: a client that knows the paths, a subscriber that records."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.sandbox.world import FakeTime, settle

TOKEN, PROFILE, PHONE = "the-token", "a1b2c3d4-e5f6", "79000000001"
ANNA, ANNAS_CHAT = "79000000002", "79000000002@c.us"
GROUP = "120363000000000001@g.us"
HOOK = "http://shop.test/wa/hook"
ALL_TYPES = [
    "authorization_status",
    "incoming_message",
    "delivery_status",
    "outgoing_message_api",
    "outgoing_message_phone",
    "application_status",
    "incoming_call",
]


@dataclass
class Outside:
    """The world that the vendor calls: webhooks are recorded, files are served from `files`."""

    statuses: list[int | Exception] = field(default_factory=list)
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            content, kind = self.files.get(str(request.url), (b"", ""))
            return httpx.Response(200 if content else 404, content=content, headers={"content-type": kind})
        self.requests.append(request)
        answer = self.statuses.pop(0) if self.statuses else 200
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content)["messages"] for request in self.requests]

    @property
    def items(self) -> list[dict[str, Any]]:
        """Everything told, array or object."""
        return [item for body in self.bodies for item in (body if isinstance(body, list) else [body])]

    def told(self, wh_type: str) -> list[dict[str, Any]]:
        return [item for item in self.items if item["wh_type"] == wh_type]


@dataclass
class Shop:
    """The sandbox (`web`), its time, and what it calls."""

    web: httpx.AsyncClient
    time: FakeTime
    outside: Outside

    async def api(self, method: str, path: str, *, profile: str = PROFILE, **options: Any) -> httpx.Response:
        """A call of the vendor's API with token and profile."""
        headers = {"Authorization": TOKEN, **options.pop("headers", {})}
        query = {"profile_id": profile, **options.pop("params", {})}
        answer = await self.web.request(
            method, f"/whatsapp/api/{path}", params=query, headers=headers, **options
        )
        await settle()
        return answer

    async def post(self, path: str, body: object = None, **options: Any) -> httpx.Response:
        return await self.api("POST", path, json=body if body is not None else {}, **options)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.api("GET", path, params=params)

    async def control(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = await self.web.request(method, f"/control/whatsapp{path}", **options)
        await settle()
        return answer

    async def write(self, customer: str = "Анна", **letter: Any) -> dict[str, Any]:
        answer = await self.control("POST", f"/customers/{customer}/messages", json=letter)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def seen(self, customer: str = "Анна") -> list[dict[str, Any]]:
        answer = await self.control("GET", f"/customers/{customer}/messages")
        return list(answer.json()["messages"])

    async def fault(self, **switches: Any) -> None:
        answer = await self.control("POST", "/faults", json=switches)
        assert answer.status_code == 200, answer.text

    async def subscribe(self, types: list[str] | None = None, **query: str) -> None:
        """The hook, for the given types or all of them."""
        assert (await self.post("webhook/url/set", params={"url": HOOK, **query})).status_code == 200
        assert (await self.post("webhook/types/set", types or ALL_TYPES)).status_code == 200

    async def send(self, text: str = "ответ", recipient: str = ANNA, **body: Any) -> dict[str, Any]:
        answer = await self.post("sync/message/send", {"recipient": recipient, "body": text, **body})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def rows(self, chat: str = ANNA, **query: Any) -> list[dict[str, Any]]:
        answer = await self.get("sync/messages/get", chat_id=chat, **query)
        return list(answer.json()["messages"])
