"""Avito in memory, answering through respx as the contract (§2 to §7) says."""

import json
from typing import Any, ClassVar
from urllib.parse import unquote

import httpx
import respx

from core.channel import Normalized, WebhookRequest
from core.errors import (
    ChannelError,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PlanRequired,
    RateLimited,
    Rejected,
)
from core.ids import AccountId
from mcp_avito.channel import AvitoChannel
from mcp_avito.client import AvitoClient
from mcp_avito.normalize import normalize
from mcp_avito.settings import AvitoSettings
from tests.contract.fake_time import FakeTime

BASE = "https://avito.example.test"
ME, ANNA = 701_000_001, 702_000_002
CREATED = 1_763_800_123

SETTINGS = AvitoSettings(
    client_id="client-1",
    client_secret="client-secret-1",  # type: ignore[arg-type]  # pydantic wraps it
    webhook_secret="path-secret-0123456789",  # type: ignore[arg-type]
    base_url=BASE,
    requests_per_second=1_000,
    burst=1_000,
)


class AvitoSide:
    """One account with the channel in front of it."""

    chats: ClassVar[tuple[str, ...]] = ("u2i-AbC~1", "a b/c{d}", "%2F..%00?x=1#y", "чат", "{}", "-")
    bad_chats: ClassVar[tuple[str, ...]] = ("", ".", "..", "x" * 513)
    expiries: ClassVar[tuple[str, ...]] = ("401", "403", "result", "result in a 200")
    has_plan = True
    echoes = True
    tells_wait = True
    refusals: ClassVar[tuple[tuple[str, int, Any, type[ChannelError]], ...]] = (
        ("bad request", 400, {"error": {"code": 400, "message": "too long"}}, Rejected),
        ("missing right", 403, {"error": {"code": 403, "message": "no such right"}}, Forbidden),
        ("no chat", 404, {"error": {"code": 404, "message": "chat not found"}}, NotFound),
        ("no plan", 402, {"error": {"code": 402, "message": "payment required"}}, PlanRequired),
        ("no plan in a 403", 403, {"error": {"message": "Нужна подписка"}}, PlanRequired),
        ("too many", 429, {"error": {"code": 429, "message": "slow down"}}, RateLimited),
        ("their fault", 500, {"error": {"code": 500, "message": "oops"}}, OutcomeUnknown),
        ("gateway", 502, "<h1>Bad Gateway</h1>", OutcomeUnknown),
        ("maintenance", 503, "", OutcomeUnknown),
        ("an error in a 200", 200, {"error": {"code": 400, "message": "bad text"}}, Rejected),
        ("a 200 without an id", 200, {"ok": True}, OutcomeUnknown),
        ("a 200 that is no JSON", 200, "<html>", OutcomeUnknown),
    )

    def __init__(self) -> None:
        self.time = FakeTime()
        self.slept = self.time.slept
        self.taken: list[tuple[str, str]] = []
        self.sent: dict[str, dict[str, Any]] = {}
        self.asked: list[httpx.Request] = []
        self.tokens_issued = 0
        self.secrets = ("client-secret-1", "path-secret-0123456789", "avito-token-")
        self._gates: list[httpx.Response | Exception | None] = []
        self._lost: str = ""
        self._good = ""
        self._expired = httpx.Response(401, json={"error": {"code": 401, "message": "bad token"}})
        self._refuses_all = False
        self._refusal: httpx.Response | None = None
        self.router = self._routes()
        network = httpx.MockTransport(self.router.async_handler)
        self.client = AvitoClient(SETTINGS, timing=self.time.timing, transport=network)
        self.channel = AvitoChannel(self.client, SETTINGS, account=AccountId("shop"))

    def _routes(self) -> respx.MockRouter:
        router = respx.MockRouter(base_url=BASE, assert_all_called=False, assert_all_mocked=False)
        chat = rf"{BASE}/messenger/v\d/accounts/{ME}/chats/(?P<chat>[^/?]+)"
        router.post("/token").mock(side_effect=self._token)
        router.get("/core/v1/accounts/self").mock(side_effect=self._behind_gate(self._self))
        router.post(url__regex=rf"{chat}/messages$").mock(side_effect=self._behind_gate(self._send))
        router.get(url__regex=rf"{chat}/messages/(\?|$)").mock(side_effect=self._behind_gate(self._history))
        return router

    def push(self, text: str, *, chat_id: str, own: bool = False) -> dict[str, Any]:
        return self._push(
            {
                "id": "0f3c",
                "chat_id": chat_id,
                "type": "text",
                "author_id": ME if own else ANNA,
                "content": {"text": text},
            }
        )

    def push_typing(self, *, chat_id: str) -> None:
        """Avito does not tell that a customer types."""

    def push_of_unknown_kind(self) -> dict[str, Any]:
        return self._push(
            {"id": "0f3d", "chat_id": "u2i-1", "type": "hologram", "author_id": ANNA, "content": {}}
        )

    def push_of(self, message_id: str) -> dict[str, Any]:
        return self._push(self.sent[message_id])

    def _push(self, value: dict[str, Any]) -> dict[str, Any]:
        value = {"user_id": ME, "chat_type": "u2i", "item_id": None, "created": CREATED, **value}
        envelope = {"id": "wh-1", "version": "v3.0.0", "timestamp": CREATED + 1}
        return {**envelope, "payload": {"type": "message", "value": value}}

    def webhook(self, body: bytes, *, authentic: bool) -> WebhookRequest:
        secret = SETTINGS.webhook_secret.get_secret_value()
        return WebhookRequest(body, {}, secret if authentic else secret[:-1] + "x")

    def expire_token(self, how: str) -> None:
        result = {"result": {"message": "access token expired", "status": False}}
        self._good = "none"
        self._expired = {
            "401": httpx.Response(401, json={"error": {"code": 401, "message": "unauthorized"}}),
            "403": httpx.Response(403, json={"error": {"code": 403, "message": "access token expired"}}),
            "result": httpx.Response(403, json=result),
            "result in a 200": httpx.Response(200, json=result),
        }[how]

    def refuse_credentials(self) -> None:
        self._refuses_all = True
        self._good = "none"

    def limit_rate(self, retry_after: float) -> None:
        self._gates.append(httpx.Response(429, headers={"Retry-After": f"{retry_after:g}"}))

    def lose_answers(self, how: str) -> None:
        self._lost = how

    def close_door(self) -> None:
        for route in self.router.routes:
            route.mock(side_effect=httpx.ConnectError("connection refused"))

    def end_plan(self) -> None:
        body = {"error": {"code": 402, "message": "нужна подписка"}}
        self._gates += [None, httpx.Response(402, json=body)]

    def answer_next(self, status: int, body: Any) -> None:
        self._refusal = _answer(status, body)

    def meaning_of(self, body: Any) -> Normalized:
        return normalize(
            body,
            user_id=ME,
            account=AccountId("default"),
            fingerprint=lambda text: f"<{text}>",
        )

    def _token(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.tokens_issued += 1
        if self._refuses_all:
            return httpx.Response(200, json={"error": "invalid_client", "error_description": "wrong secret"})
        self._good = f"avito-token-{self.tokens_issued}"
        return httpx.Response(200, json={"access_token": self._good, "expires_in": 86_400})

    def _behind_gate(self, answer: Any) -> Any:
        def gated(request: httpx.Request, **parts: str) -> httpx.Response:
            self.asked.append(request)
            if request.headers["authorization"] != f"Bearer {self._good}":
                return _fresh(self._expired)
            gate = self._gates.pop(0) if self._gates else None
            if isinstance(gate, Exception):
                raise gate
            response: httpx.Response = gate or answer(request, **parts)
            return response

        return gated

    def _self(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"id": ME, "name": "Мастерская"})

    def _send(self, request: httpx.Request, chat: str) -> httpx.Response:
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            return refusal
        chat_id, text = unquote(chat), json.loads(request.content)["message"]["text"]
        message_id = f"bb{len(self.taken):02}"
        self.taken.append((chat_id, text))
        content = {"type": "text", "created": CREATED, "content": {"text": text}}
        self.sent[message_id] = {"id": message_id, "chat_id": chat_id, "author_id": ME, **content}
        if self._lost == "502":
            return httpx.Response(502, html="<h1>Bad Gateway</h1>")
        if self._lost:
            raise {"timeout": httpx.ReadTimeout, "reset": httpx.ReadError}[self._lost]("no answer")
        return httpx.Response(200, json={"id": message_id, "direction": "out", **content})

    def _history(self, _: httpx.Request, chat: str) -> httpx.Response:
        known = [message for message in self.sent.values() if message["chat_id"] == unquote(chat)]
        return httpx.Response(200, json={"messages": [{**m, "direction": "out"} for m in reversed(known)]})


def _fresh(response: httpx.Response) -> httpx.Response:
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)


def _answer(status: int, body: Any) -> httpx.Response:
    if isinstance(body, str):
        return httpx.Response(status, html=body)
    return httpx.Response(status, json=body)
