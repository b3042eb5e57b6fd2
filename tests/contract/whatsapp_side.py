"""Wappi in memory, answering as the contract (§2 to §7) says."""

import json
from typing import Any, ClassVar

import httpx

from core.channel import Normalized, WebhookRequest
from core.errors import (
    AuthFailed,
    ChannelError,
    ContractBroken,
    NotFound,
    OutcomeUnknown,
    PlanRequired,
    RateLimited,
    Rejected,
    SessionLost,
)
from core.ids import AccountId
from mcp_whatsapp.channel import WhatsAppChannel
from mcp_whatsapp.client import WappiClient, phrase_of
from mcp_whatsapp.normalize import Whose, normalize
from mcp_whatsapp.settings import WhatsAppSettings
from tests.contract.fake_time import FakeTime

BASE = "https://wappi.example.test"
TOKEN = "wappi-token-0123456789abcdef"
SECRET = "path-secret-0123456789"
PROFILE, ME = "a1b2c3d4-e5f6", "79000000001"
CREATED, MOMENT = 1_763_800_123, "2025-11-22T11:28:43+03:00"

SETTINGS = WhatsAppSettings(
    token=TOKEN,  # type: ignore[arg-type]  # pydantic wraps it
    profile_id=PROFILE,
    webhook_secret=SECRET,  # type: ignore[arg-type]
    base_url=BASE,
    requests_per_second=1_000,
    sends_per_second=1_000,
    burst=1_000,
)
STATUS = {
    "authorized": True,
    "app_status": "open",
    "phone": ME,
    "profile_id": PROFILE,
    "logouted_at": None,
    "payment_expired_at": "2026-12-13T00:00:00Z",
    "webhook_url": "",
    "webhook_types": ["authorization_status", "incoming_message", "delivery_status"],
}


def refusal(detail: str = "") -> dict[str, Any]:
    """An error of §7; bare without a detail."""
    return {"status": "error", "detail": detail} if detail else {"status": "error"}


def _done(**keys: Any) -> dict[str, Any]:
    return {"status": "done", "timestamp": CREATED, "time": MOMENT, **keys}


class WhatsAppSide:
    """One profile with the channel in front of it; its first chat is with one person."""

    chats: ClassVar[tuple[str, ...]] = (
        "79000000002",
        "84912345678",
        "380440000001",
        "120363000000000001@g.us",
        "79000000003-1510000000@g.us",
        "990000000000001@lid",
    )
    bad_chats: ClassVar[tuple[str, ...]] = (
        "",
        ".",
        "..",
        "-",
        "чат",
        "1234",
        "89000000002",
        "89000000002@c.us",
        "+79000000002",
        "7 900 000 00 02",
        "79000000002\n",
        "٧٩٠٠٠٠٠٠٠٠٢",
        "status@broadcast",
        "79000000002@c.us,79000000003@c.us",
        "79000000002@example.test",
        "9" * 513,
    )
    expiries: ClassVar[tuple[str, ...]] = ()
    has_plan = True
    echoes = True
    tells_wait = True
    refusals: ClassVar[tuple[tuple[str, int, Any, type[ChannelError]], ...]] = (
        ("refused in WhatsApp", 400, refusal("sendMessage error"), Rejected),
        ("a bare refusal", 400, refusal(), Rejected),
        ("a failure under 200", 200, refusal("sendMessage error"), Rejected),
        ("a bare failure under 200", 200, refusal(), Rejected),
        ("a 400 without JSON", 400, "<h1>Bad Request</h1>", Rejected),
        ("an unknown message", 400, refusal("message not found"), NotFound),
        ("a file that is gone", 400, refusal("download media error"), NotFound),
        ("a bad token", 401, refusal("invalid token"), AuthFailed),
        ("a bad token without a body", 401, "", AuthFailed),
        ("an unpaid profile", 402, refusal("profile is not paid"), PlanRequired),
        ("an unpaid profile without a body", 402, "", PlanRequired),
        ("a foreign profile in a 400", 400, refusal("profile not found"), AuthFailed),
        ("a foreign profile in a 403", 403, refusal("profile not found"), AuthFailed),
        ("a foreign profile in a 404", 404, refusal("profile not found"), AuthFailed),
        ("a 403 without words", 403, "", AuthFailed),
        ("a 404 without words", 404, "", NotFound),
        ("a logged-out profile", 400, refusal("profile is not authorized"), SessionLost),
        ("a wrong verb", 405, refusal("method not allowed"), ContractBroken),
        ("too large", 413, "<h1>Request Entity Too Large</h1>", Rejected),
        ("too many", 429, refusal("too many requests"), RateLimited),
        ("their fault", 500, refusal("oops"), OutcomeUnknown),
        ("gateway", 502, "<h1>Bad Gateway</h1>", OutcomeUnknown),
        ("maintenance", 503, "<h1>Service Unavailable</h1>", OutcomeUnknown),
        ("gateway timeout", 504, "", OutcomeUnknown),
        ("a 200 without an id", 200, {"status": "done"}, OutcomeUnknown),
        ("a 200 without a status", 200, {"message_id": "3EB0A1"}, OutcomeUnknown),
        ("a 200 that is no JSON", 200, "<html>", OutcomeUnknown),
    )

    def __init__(self) -> None:
        self.time = FakeTime()
        self.slept = self.time.slept
        self.taken: list[tuple[str, str]] = []
        self.asked: list[httpx.Request] = []
        self.sent: dict[str, dict[str, Any]] = {}
        self.tokens_issued = 0
        self.secrets = (TOKEN, SECRET, phrase_of(SETTINGS))
        self.status: dict[str, Any] = {**STATUS}
        self._gates: list[httpx.Response] = []
        self._refusal: httpx.Response | None = None
        self._lost = ""
        self._open = self._trusted = True
        network = httpx.MockTransport(self._answered)
        self.client = WappiClient(SETTINGS, timing=self.time.timing, transport=network)
        self.channel = WhatsAppChannel(self.client, SETTINGS, account=AccountId("shop"))

    def push(self, text: str, *, chat_id: str, own: bool = False) -> dict[str, Any]:
        place, me = _wired(chat_id), f"{ME}@c.us"
        people: dict[str, Any] = {"from": me, "to": place} if own else {"from": place, "to": me}
        if own:
            people |= {"wh_type": "outgoing_message_api", "is_me": True, "task_id": "0b7e1f5a"}
        return _delivery({"id": "3AD57A50F73CFC3B0001", "chatId": place, "body": text, **people})

    def push_typing(self, *, chat_id: str) -> None:
        """Wappi does not tell that a customer types."""

    def push_of_unknown_kind(self) -> dict[str, Any]:
        return _delivery({"id": "3AD57A50F73CFC3B0002", "chatId": "79000000002@c.us", "wh_type": "hologram"})

    def push_of(self, message_id: str) -> dict[str, Any]:
        recipient, text = self.sent[message_id]["recipient"], self.sent[message_id]["body"]
        echo: dict[str, Any] = self.push(text, chat_id=recipient, own=True)
        echo["messages"][0]["id"] = message_id
        return echo

    def webhook(self, body: bytes, *, authentic: bool) -> WebhookRequest:
        secret = SECRET if authentic else SECRET[:-1] + "x"
        return WebhookRequest(body, {"authorization": phrase_of(SETTINGS)}, secret)

    def meaning_of(self, body: Any) -> Normalized:
        return normalize(body, Whose(PROFILE, ME, AccountId("default"), lambda text: f"<{text}>"))

    def expire_token(self, how: str) -> None:
        raise AssertionError(f"Wappi's token has no other to take its place: {how}")

    def refuse_credentials(self) -> None:
        self._trusted = False

    def limit_rate(self, retry_after: float) -> None:
        headers = {"Retry-After": f"{retry_after:g}"}
        self._gates.append(httpx.Response(429, json=refusal("too many requests"), headers=headers))

    def answer_next(self, status: int, body: Any) -> None:
        self._refusal = _answer(status, body)

    def lose_answers(self, how: str) -> None:
        self._lost = how

    def close_door(self) -> None:
        self._open = False

    def end_plan(self) -> None:
        self._gates.append(httpx.Response(402, json=refusal("profile is not paid")))

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if not self._open:
            raise httpx.ConnectError("connection refused")
        if request.headers.get("authorization") != TOKEN or not self._trusted:
            return httpx.Response(401, json=refusal("invalid token"))
        if request.url.params.get("profile_id") != PROFILE:
            return httpx.Response(400, json=refusal("profile not found"))
        if self._gates:
            return self._gates.pop(0)
        line = f"{request.method} {request.url.path}"
        if line == "POST /api/sync/message/send":
            return self._send(json.loads(request.content))
        answers = {
            "GET /api/sync/get/status": lambda _: self.status,
            "GET /api/webhook/url/get": lambda _: _done(url="", installed=False),
            "GET /api/sync/messages/get": self._history,
        }
        if line not in answers:
            return httpx.Response(404, json=refusal("not found"))
        return httpx.Response(200, json=answers[line](request))

    def _send(self, body: dict[str, str]) -> httpx.Response:
        if self._refusal is not None:
            refused, self._refusal = self._refusal, None
            return refused
        message_id = f"3EB0A1B2C3D4E5F607{len(self.taken):02}"
        self.taken.append((body["recipient"], body["body"]))
        self.sent[message_id] = body
        if self._lost == "502":
            return httpx.Response(502, html="<h1>Bad Gateway</h1>")
        if self._lost:
            raise {"timeout": httpx.ReadTimeout, "reset": httpx.ReadError}[self._lost]("no answer")
        return httpx.Response(200, json=_done(message_id=message_id, task_id="0b7e1f5a"))

    def _history(self, request: httpx.Request) -> dict[str, Any]:
        chat = request.url.params["chat_id"]
        rows = [_row(name, sent) for name, sent in self.sent.items() if sent["recipient"] == chat]
        return _done(messages=rows[::-1], total_count=len(rows))


def _wired(chat_id: str) -> str:
    return chat_id if "@" in chat_id else f"{chat_id}@c.us"


def _delivery(item: dict[str, Any]) -> dict[str, Any]:
    core = {"wh_type": "incoming_message", "profile_id": PROFILE, "type": "chat"}
    return {"messages": [{**core, "timestamp": MOMENT, "time": CREATED, **item}]}


def _row(message_id: str, sent: dict[str, str]) -> dict[str, Any]:
    place = _wired(sent["recipient"])
    people = {"from": f"{ME}@c.us", "to": place, "chatId": place, "fromMe": True, "isFromAPI": True}
    return {"id": message_id, "type": "chat", "body": sent["body"], "time": CREATED, "s3Info": {}, **people}


def _answer(status: int, body: Any) -> httpx.Response:
    if isinstance(body, str):
        return httpx.Response(status, html=body)
    return httpx.Response(status, json=body)
