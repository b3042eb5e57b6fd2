"""A sandbox without sockets: time that is told, a receiver that records, a client that knows the paths."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

ACCOUNT = 701_000_001
HOOK = "http://shop.test/hook"
KEYS = {"grant_type": "client_credentials", "client_id": "the-id", "client_secret": "the-secret"}


class FakeTime:
    """A clock that stands until `pass_` moves it; sleepers wake when their moment comes."""

    def __init__(self) -> None:
        self.moment = 1_763_800_000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.moment + seconds, waker))
        await waker

    async def pass_(self, seconds: float) -> None:
        """Let this much time pass, waking every sleeper at its own moment."""
        end = self.moment + seconds
        await settle()
        while due := sorted((s for s in self._sleepers if s[0] <= end), key=lambda s: s[0]):
            self.moment = max(self.moment, due[0][0])
            self._sleepers.remove(due[0])
            if not due[0][1].done():
                due[0][1].set_result(None)
            await settle()
        self.moment = end


async def settle() -> None:
    """Let every task that can run come to rest: nothing here waits for a real clock."""
    for _ in range(60):
        await asyncio.sleep(0)


@dataclass
class Receiver:
    """The subscriber: answers with the queued statuses, then 200."""

    statuses: list[int | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.statuses.pop(0) if self.statuses else 200
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)

    @property
    def pushes(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def values(self) -> list[dict[str, Any]]:
        return [push["payload"]["value"] for push in self.pushes]

    @property
    def texts(self) -> list[str]:
        return [value["content"].get("text", "") for value in self.values]


@dataclass
class World:
    """The sandbox (`web`), its time and its webhook receiver."""

    web: httpx.AsyncClient
    time: FakeTime
    receiver: Receiver
    token: str = ""

    async def log_in(self) -> None:
        answer = await self.web.post("/avito/token", data=KEYS)
        self.token = answer.json()["access_token"]

    async def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of the vendor's API with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.web.request(method, f"/avito{path}", headers=headers, **options)

    async def control(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.web.request(method, f"/control/avito{path}", **options)

    async def write(self, customer: str = "Анна", **letter: Any) -> dict[str, Any]:
        answer = await self.control("POST", f"/customers/{customer}/messages", json=letter)
        assert answer.status_code == 200, answer.text
        await settle()
        return dict(answer.json())

    async def seen(self, customer: str = "Анна") -> list[dict[str, Any]]:
        answer = await self.control("GET", f"/customers/{customer}/messages")
        return list(answer.json()["messages"])

    async def fault(self, **switches: Any) -> None:
        answer = await self.control("POST", "/faults", json=switches)
        assert answer.status_code == 200, answer.text

    async def subscribe(self, url: str = HOOK) -> None:
        assert (await self.api("POST", "/messenger/v3/webhook", json={"url": url})).json() == {"ok": True}

    async def send(self, chat: str, text: str) -> httpx.Response:
        body = {"type": "text", "message": {"text": text}}
        answer = await self.api("POST", f"{chat_path(chat)}/messages", json=body)
        await settle()
        return answer

    async def history(self, chat: str, **query: Any) -> list[dict[str, Any]]:
        answer = await self.api("GET", f"{chat_path(chat, 3)}/messages/", params=query)
        return list(answer.json()["messages"])

    async def deliveries(self) -> list[dict[str, Any]]:
        return list((await self.control("GET", "/deliveries")).json()["deliveries"])


def account_path(version: int, account: int = ACCOUNT) -> str:
    return f"/messenger/v{version}/accounts/{account}"


def chat_path(chat: str, version: int = 1) -> str:
    return f"{account_path(version)}/chats/{chat}"
