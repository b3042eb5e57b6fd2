"""A simulated Telegram without sockets: time that is told, a webhook that answers what it is given."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr
from starlette.applications import Starlette

from sandbox.app import build_app
from sandbox.settings import SandboxSettings
from sandbox.telegram.settings import TelegramSandboxSettings
from sandbox.telegram.vendor import TelegramVendor
from tests.sandbox.world import FakeTime, settle

TOKEN = "7000000001:AAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
HOOK = "https://bot.example.test/telegram/hook"
SECRET = "hook-secret_1"
BOT, BUSINESS, GROUP = 1, 2, 3
NEVER = 0
Answer = int | Exception | httpx.Response


@dataclass
class Receiver:
    """The webhook: queued answers, then 200; `pages` are what Telegram finds when it fetches an address."""

    answers: list[Answer] = field(default_factory=list)
    usual: Answer = 200
    requests: list[httpx.Request] = field(default_factory=list)
    pages: dict[str, httpx.Response] = field(default_factory=dict)
    repeated: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return self.pages.get(str(request.url), httpx.Response(404))
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else self.usual
        if len(self.requests) > 1:
            self.repeated.set()
        if answer == NEVER:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer) if isinstance(answer, int) else answer

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def kinds(self) -> list[str]:
        return [next(key for key in update if key != "update_id") for update in self.updates]

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [update[kind] for update, kind in zip(self.updates, self.kinds, strict=True)]

    @property
    def texts(self) -> list[str]:
        return [payload.get("text", "") for payload in self.payloads]


@dataclass
class World:
    """The sandbox (`web`), its time and the webhook."""

    app: Starlette
    web: httpx.AsyncClient
    time: FakeTime
    receiver: Receiver

    async def call(self, method: str, **parameters: Any) -> httpx.Response:
        """A method of the Bot API, with a JSON body."""
        answer = await self.web.post(f"/telegram/bot{TOKEN}/{method}", json=parameters)
        await settle()
        return answer

    async def result(self, method: str, **parameters: Any) -> Any:
        answer = await self.call(method, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    async def refusal(self, method: str, **parameters: Any) -> tuple[int, str]:
        """Code and description of a call that is refused."""
        body = (await self.call(method, **parameters)).json()
        assert body["ok"] is False
        return body["error_code"], body["description"]

    async def upload(self, method: str, files: dict[str, Any], **fields: Any) -> httpx.Response:
        return await self.web.post(f"/telegram/bot{TOKEN}/{method}", data=fields, files=files)

    async def download(self, file_id: str) -> httpx.Response:
        path = (await self.result("getFile", file_id=file_id))["file_path"]
        return await self.web.get(f"/telegram/file/bot{TOKEN}/{path}")

    async def control(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = await self.web.request(method, f"/control/telegram{path}", **options)
        await settle()
        return answer

    async def write(self, customer: str = "Анна", **letter: Any) -> dict[str, Any]:
        answer = await self.control("POST", f"/customers/{customer}/messages", json=letter)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def chat(self, customer: str = "Анна") -> int:
        """The id of the customer's chat with the bot, which is started."""
        return int((await self.write(customer, text="ау"))["chat_id"])

    async def business(self, customer: str = "Анна") -> dict[str, Any]:
        """Parameters that name the customer's chat with the owner, in which the customer wrote."""
        connection, chat = (await self.write(customer, text="ау", ad=BUSINESS))["chat_id"].split(":")
        return {"business_connection_id": connection, "chat_id": int(chat)}

    async def group(self) -> int:
        return int((await self.write(text="всем привет", ad=GROUP))["chat_id"])

    async def seen(self, customer: str = "Анна") -> list[dict[str, Any]]:
        return list((await self.control("GET", f"/customers/{customer}/messages")).json()["messages"])

    async def fault(self, **switches: Any) -> None:
        answer = await self.control("POST", "/faults", json=switches)
        assert answer.status_code == 200, answer.text

    async def subscribe(self, url: str = HOOK, **options: Any) -> dict[str, Any]:
        """Set the webhook, after the second that Telegram wants between two of them."""
        await self.time.pass_(1)
        answer = await self.call("setWebhook", url=url, **options)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def info(self) -> dict[str, Any]:
        return dict(await self.result("getWebhookInfo"))

    async def updates(self, **parameters: Any) -> list[dict[str, Any]]:
        return list(await self.result("getUpdates", **parameters))

    async def deliveries(self) -> list[dict[str, Any]]:
        return list((await self.control("GET", "/deliveries")).json()["deliveries"])


@asynccontextmanager
async def opened(**changes: Any) -> AsyncIterator[World]:
    """A fresh sandbox whose Telegram has these settings."""
    settings = TelegramSandboxSettings(token=SecretStr(TOKEN), **changes)
    avito = SandboxSettings(
        avito_client_id="the-id",
        avito_client_secret=SecretStr("the-secret"),
        public_url="http://sandbox.test",
    )
    time, receiver = FakeTime(), Receiver()
    async with httpx.AsyncClient(transport=httpx.MockTransport(receiver.answer)) as http:
        app = build_app(
            avito,
            clock=time.now,
            sleep=time.sleep,
            http=http,
            more=[lambda bench: TelegramVendor(settings, bench)],
        )
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as web,
        ):
            yield World(app, web, time, receiver)
