"""Instagram in a sandbox without sockets, and the business that listens."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette

from tests.sandbox.world import FakeTime, settle

TOKEN, SECRET, VERIFY = "IGAA-the-token", "0123456789abcdef0123456789abcdef", "the-verify-token"
ACCOUNT = "17841400000000001"
HOOK = "https://shop.test/hook"
FIELDS = "messages,messaging_postbacks"
JPEG, PDF, MP4 = b"\xff\xd8\xff\xe0photo", b"%PDF-1.4", b"\0\0\0 ftypisomvideo"


@dataclass
class Callback:
    """The business's server: answers the handshake, takes webhooks, and serves `files` by URL."""

    statuses: list[int] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    handshakes: list[httpx.Request] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    token: str = VERIFY

    def __call__(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if request.method == "POST":
            self.requests.append(request)
            return httpx.Response(self.statuses.pop(0) if self.statuses else 200)
        if url.startswith("https://files.test/"):
            name = url.rpartition("/")[2]
            return (
                httpx.Response(200, content=self.files[name]) if name in self.files else httpx.Response(404)
            )
        self.handshakes.append(request)
        known = request.url.params.get("hub.verify_token") == self.token
        return httpx.Response(200, text=request.url.params["hub.challenge"]) if known else httpx.Response(403)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def items(self) -> list[dict[str, Any]]:
        entries = [entry for body in self.bodies for entry in body["entry"]]
        return [item for entry in entries for item in entry.get("messaging", [])]

    @property
    def texts(self) -> list[str]:
        return [item.get("message", {}).get("text", "") for item in self.items]


@dataclass
class InstagramWorld:
    """The sandbox (`web`), its time and the business's server."""

    web: httpx.AsyncClient
    time: FakeTime
    callback: Callback
    app: Starlette

    async def api(self, method: str, path: str, *, token: str = TOKEN, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await self.web.request(method, f"/instagram/v26.0{path}", headers=headers, **options)

    async def refusal(self, method: str, path: str, **options: Any) -> tuple[int, int, int | None]:
        """Status, code and subcode."""
        answer = await self.api(method, path, **options)
        error = answer.json()["error"]
        return answer.status_code, error["code"], error.get("error_subcode")

    async def control(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.web.request(method, f"/control/instagram{path}", **options)

    async def backstage(self, verb: str, **body: Any) -> dict[str, Any]:
        answer = await self.web.post(f"/instagram/_sandbox/{verb}", json=body)
        assert answer.status_code == 200, answer.text
        await settle()
        return dict(answer.json())

    async def write(self, customer: str = "Анна", **letter: Any) -> dict[str, Any]:
        answer = await self.control("POST", f"/customers/{customer}/messages", json=letter)
        assert answer.status_code == 200, answer.text
        await settle()
        return dict(answer.json())

    async def seen(self, customer: str = "Анна") -> list[dict[str, Any]]:
        return list((await self.control("GET", f"/customers/{customer}/messages")).json()["messages"])

    async def fault(self, **switches: Any) -> None:
        answer = await self.control("POST", "/faults", json=switches)
        assert answer.status_code == 200, answer.text

    async def subscribe(self, **options: Any) -> None:
        path = "/me/subscribed_apps"
        answer = await self.api("POST", path, params={"subscribed_fields": FIELDS}, **options)
        assert answer.json() == {"success": True}, answer.text

    async def post(self, chat: str, **body: Any) -> httpx.Response:
        answer = await self.api("POST", "/me/messages", json={"recipient": {"id": chat}, **body})
        await settle()
        return answer

    async def send(self, chat: str, text: str, **body: Any) -> httpx.Response:
        return await self.post(chat, message={"text": text}, **body)

    async def refused(self, chat: str, **body: Any) -> tuple[int, int, int | None]:
        return await self.refusal("POST", "/me/messages", json={"recipient": {"id": chat}, **body})

    async def open_chat(self, customer: str = "Анна") -> str:
        """The chat of a customer who has just written."""
        return str((await self.write(customer, text="Здравствуйте!"))["chat_id"])

    async def deliveries(self) -> list[dict[str, Any]]:
        return list((await self.control("GET", "/deliveries")).json()["deliveries"])
