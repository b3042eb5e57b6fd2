"""MAX in a sandbox without sockets, spoken to with the bot's token."""

from dataclasses import dataclass
from typing import Any

import httpx

from sandbox.media import made_up_picture, made_up_voice
from tests.sandbox.world import FakeTime, Receiver, settle

TOKEN = "the-max-token"
HOOK = "https://shop.test/hook"
SECRET = "hook_secret-1"
BOT = 70_700_001
VIDEO = made_up_voice().content
KEYBOARD = {
    "type": "inline_keyboard",
    "payload": {"buttons": [[{"type": "callback", "text": "Да", "payload": "yes"}]]},
}


@dataclass
class MaxWorld:
    """The sandbox (`web`), its time and its webhook receiver."""

    web: httpx.AsyncClient
    time: FakeTime
    receiver: Receiver

    async def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of the vendor's API with the token; time passes, so that rates do not matter."""
        self.time.moment += 1
        return await self.hasty(method, path, **options)

    async def hasty(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The same without a pause before it."""
        headers = {"Authorization": TOKEN}
        answer = await self.web.request(method, f"/max{path}", headers=headers, **options)
        await settle()
        return answer

    async def control(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = await self.web.request(method, f"/control/max{path}", **options)
        await settle()
        return answer

    async def write(self, customer: str = "Анна", **letter: Any) -> dict[str, Any]:
        answer = await self.control("POST", f"/customers/{customer}/messages", json=letter)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def act(self, kind: str, customer: str = "Анна", **content: Any) -> dict[str, Any]:
        """An act in the customer's dialog, or in the chat `chat`."""
        chat = content.pop("chat", None)
        letter = {"type": kind, "content": content, **({"chat": chat} if chat else {})}
        return await self.write(customer, **letter)

    async def seen(self, customer: str = "Анна") -> list[dict[str, Any]]:
        answer = await self.control("GET", f"/customers/{customer}/messages")
        return list(answer.json()["messages"])

    async def fault(self, **switches: Any) -> None:
        answer = await self.control("POST", "/faults", json=switches)
        assert answer.status_code == 200, answer.text

    async def subscribe(self, url: str = HOOK, **more: Any) -> None:
        answer = await self.api("POST", "/subscriptions", json={"url": url, **more})
        assert answer.json() == {"success": True}, answer.text

    async def subscriptions(self) -> list[dict[str, Any]]:
        return list((await self.api("GET", "/subscriptions")).json()["subscriptions"])

    async def dialog(self, customer: str = "Анна") -> int:
        """A dialog that the customer has opened by writing."""
        return int((await self.write(customer, text="Здравствуйте"))["chat_id"])

    async def group(self, **content: Any) -> int:
        """A group or channel of Анна's with the bot in it."""
        return int((await self.act("bot_added", **content))["chat_id"])

    async def send(self, chat: int, text: str | None = None, **body: Any) -> httpx.Response:
        return await self.api("POST", "/messages", params={"chat_id": chat}, json={"text": text, **body})

    async def sent(self, chat: int, text: str | None = None, **body: Any) -> dict[str, Any]:
        """The message of a send that must work."""
        answer = await self.send(chat, text, **body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["message"])

    async def mid(self, chat: int, text: str | None = "ответ", **body: Any) -> str:
        return str((await self.sent(chat, text, **body))["body"]["mid"])

    async def upload(
        self, kind: str, content: bytes = b"", name: str = "f.bin"
    ) -> tuple[str, httpx.Response]:
        """Both steps: the token of the first one, and the answer of the second."""
        ticket = (await self.api("POST", "/uploads", params={"type": kind})).json()
        content = content or (made_up_picture(40, 30).content if kind == "image" else VIDEO)
        answer = await self.web.post(ticket["url"], files={"data": (name, content)})
        return ticket.get("token", ""), answer

    async def token(self, kind: str, name: str = "f.bin") -> str:
        """Of a file that is ready to be sent."""
        token, answer = await self.upload(kind, name=name)
        await self.time.pass_(5)
        if kind == "image":
            [photo] = answer.json()["photos"].values()
            return str(photo["token"])
        return token or str(answer.json()["token"])

    async def attached(self, chat: int, kind: str, payload: dict[str, Any], **beside: Any) -> httpx.Response:
        return await self.send(chat, attachments=[{"type": kind, "payload": payload, **beside}])

    @property
    def updates(self) -> list[dict[str, Any]]:
        return self.receiver.pushes

    @property
    def last(self) -> dict[str, Any]:
        return self.receiver.pushes[-1]


def shown(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, str(answer.json()["code"])
