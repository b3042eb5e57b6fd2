"""The VK community without sockets: a receiver that knows its code, a client that knows the methods."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx

from tests.sandbox.world import FakeTime, settle

GROUP = 2_200_033
TOKEN = "vk1.a.the-token"
SECRET = "s3cr3t"
HOOK = "http://shop.test/vk"
CHAT = 2_000_000_001
FLAGS = (
    "message_new",
    "message_reply",
    "message_edit",
    "message_allow",
    "message_deny",
    "message_typing_state",
    "message_read",
    "message_event",
    "message_reaction_event",
    "group_join",
)
Said: TypeAlias = tuple[int, str] | tuple[int, str, Mapping[str, str]] | Exception


@dataclass
class VkReceiver:
    """The community's server: the code for a confirmation, the queued answers, then `ok`."""

    code: str = ""
    answers: list[Said] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if json.loads(request.content)["type"] == "confirmation":
            return httpx.Response(200, text=self.code)
        said = self.answers.pop(0) if self.answers else (200, "ok")
        if isinstance(said, Exception):
            raise said
        return httpx.Response(said[0], text=said[1], headers=said[2] if len(said) > 2 else {})

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [body for body in self.bodies if body["type"] != "confirmation"]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [event["object"] for event in self.events]

    @property
    def texts(self) -> list[str]:
        """The texts of the messages, wrapped or not."""
        shown = [given.get("message", given) for given in self.objects]
        return [given["text"] for given in shown if "text" in given]


@dataclass
class VkWorld:
    """The sandbox (`web`), its time and its callback server."""

    web: httpx.AsyncClient
    time: FakeTime
    receiver: VkReceiver

    async def raw(self, method: str, **params: Any) -> httpx.Response:
        """A call as it is, with token and version unless they are given."""
        form = {"access_token": TOKEN, "v": "5.199", **params}
        answer = await self.web.post(f"/vk/method/{method}", data=form)
        await settle()
        return answer

    async def api(self, method: str, **params: Any) -> Any:
        """The `response` of a call that succeeds."""
        answer = (await self.raw(method, **params)).json()
        assert "response" in answer, answer
        return answer["response"]

    async def error(self, method: str, **params: Any) -> tuple[int, str]:
        """Code and words of a call that fails."""
        answer = (await self.raw(method, **params)).json()
        assert "error" in answer, answer
        return answer["error"]["error_code"], answer["error"]["error_msg"]

    async def send(self, peer: int, text: str = "ответ", random_id: int = 0, **params: Any) -> Any:
        given = {"peer_id": peer, "message": text, "random_id": random_id, **params}
        return await self.api("messages.send", **given)

    async def refusal(self, peer: int, **params: Any) -> int:
        """The code with which a send is refused."""
        given = {"peer_id": peer, "message": "ответ", "random_id": 0, **params}
        return (await self.error("messages.send", **given))[0]

    async def control(self, verb: str, path: str, **options: Any) -> httpx.Response:
        answer = await self.web.request(verb, f"/control/vk{path}", **options)
        await settle()
        return answer

    async def write(self, customer: str = "Анна", **letter: Any) -> int:
        """A customer writes; their id, which is the peer."""
        return int((await self.written(customer, **letter))["customer_id"])

    async def written(self, customer: str = "Анна", **letter: Any) -> dict[str, Any]:
        answer = await self.control("POST", f"/customers/{customer}/messages", json=letter)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def seen(self, customer: str = "Анна") -> list[dict[str, Any]]:
        return list((await self.control("GET", f"/customers/{customer}/messages")).json()["messages"])

    async def fault(self, **switches: Any) -> None:
        answer = await self.control("POST", "/faults", json=switches)
        assert answer.status_code == 200, answer.text

    async def add_server(self, url: str = HOOK, secret: str = SECRET) -> int:
        """As an automatic set-up does it: code, server, confirmation."""
        self.receiver.code = (await self.api("groups.getCallbackConfirmationCode", group_id=GROUP))["code"]
        given = {"group_id": GROUP, "url": url, "title": "bridge", "secret_key": secret}
        return int((await self.api("groups.addCallbackServer", **given))["server_id"])

    async def subscribe(self, url: str = HOOK, secret: str = SECRET) -> int:
        """A confirmed server with every message event on."""
        server = await self.add_server(url, secret)
        flags = dict.fromkeys(FLAGS, 1)
        settings = {"group_id": GROUP, "server_id": server, "api_version": "5.199", **flags}
        assert await self.api("groups.setCallbackSettings", **settings) == 1
        return server

    async def status(self, server: int) -> str:
        found = await self.api("groups.getCallbackServers", group_id=GROUP, server_ids=server)
        return str(found["items"][0]["status"])

    async def history(self, peer: int, **params: Any) -> list[dict[str, Any]]:
        return list((await self.api("messages.getHistory", peer_id=peer, **params))["items"])

    async def deliveries(self) -> list[dict[str, Any]]:
        return list((await self.control("GET", "/deliveries")).json()["deliveries"])
