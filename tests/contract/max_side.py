"""MAX in memory, answering as the contract (§1 to §3) says."""

import json
from typing import Any, ClassVar

import httpx

from core.channel import Normalized, WebhookRequest
from core.errors import (
    AuthFailed,
    ChannelError,
    ContractBroken,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PeerUnreachable,
    RateLimited,
    Rejected,
)
from core.ids import AccountId
from mcp_max.channel import MaxChannel
from mcp_max.client import MaxClient
from mcp_max.normalize import Ours, normalize
from mcp_max.settings import MaxSettings
from tests.contract.fake_time import FakeTime

BASE = "https://max.example.test"
BOT, ANNA = 70_700, 50_100
CREATED = 1_763_800_123_456
TOKEN = "max-token-0123456789abcdef"
WEBHOOK_SECRET = "max-hook-secret-0123456789"
SUSPENDED = "Key: error.dialog.suspended, args: [null, null]"

SETTINGS = MaxSettings(
    token=TOKEN,  # type: ignore[arg-type]  # pydantic wraps it
    webhook_secret=WEBHOOK_SECRET,  # type: ignore[arg-type]
    base_url=BASE,
    requests_per_second=1_000,
    burst=1_000,
)


def _said(code: str, message: str = "") -> dict[str, str]:
    return {"code": code, "message": message}


class MaxSide:
    """One bot with the channel in front of it."""

    chats: ClassVar[tuple[str, ...]] = (
        "90010",
        "-70000000000123",
        "9223372036854775807",
        "-9223372036854775808",
        "1",
        "user:50100",
    )
    bad_chats: ClassVar[tuple[str, ...]] = (
        "",
        ".",
        "..",
        "0",
        "-0",
        "007",
        "1.5",
        "+5",
        " 5",
        "5\n",
        "٣",
        "user:",
        "user:0",
        "user:-5",
        "chat:5",
        "9223372036854775808",
        "9" * 500,
        "5&user_id=6",
    )
    expiries: ClassVar[tuple[str, ...]] = ()
    has_plan = False
    echoes = True  # MAX is not known to push them; if it does, they must be told from a customer's words
    tells_wait = False
    refusals: ClassVar[tuple[tuple[str, int, Any, type[ChannelError]], ...]] = (
        ("wrong token", 401, _said("verify.token", "Invalid access_token"), AuthFailed),
        ("wrong token, older", 403, _said("verify.token", "Invalid access_token"), AuthFailed),
        ("401 without words", 401, "", AuthFailed),
        ("file in process", 400, _said("attachment.not.ready"), Rejected),
        (
            "file in process, by its words",
            400,
            _said("proto.payload", "Key: errors.process.attachment.video.not.processed"),
            Rejected,
        ),
        ("too long", 400, _said("proto.payload", "text: size must be between 0 and 4000"), Rejected),
        ("no picture", 400, _said("proto.payload", "No `photos`, `url` or `token` provided."), Rejected),
        ("400 without a code", 400, "", Rejected),
        ("stopped by the user", 403, _said("chat.denied", SUSPENDED), PeerUnreachable),
        ("chat 0", 403, _said("chat.denied", "Invalid chatId: 0"), ContractBroken),
        ("not in the group", 403, _said("chat.denied", "Bot is not a member of the chat"), Forbidden),
        ("never started", 404, _said("dialog.not.found", "error.dialog.notfound"), PeerUnreachable),
        ("never started, by its words", 404, _said("", "error.dialog.notfound"), PeerUnreachable),
        ("dialog removed", 404, _said("chat.not.found", "Chat 90010 not found"), PeerUnreachable),
        ("no right", 403, _said("access.denied", "no right to write"), Forbidden),
        ("unknown path or message", 404, _said("not.found", "Path not found"), NotFound),
        ("wrong method", 405, _said("method.not.allowed"), ContractBroken),
        ("405 without words", 405, "", ContractBroken),
        ("too many", 429, _said("too.many.requests"), RateLimited),
        ("429 without words", 429, "", RateLimited),
        ("their fault", 500, _said("internal.error", "trace 1a2b"), OutcomeUnknown),
        ("overloaded", 503, _said("service.unavailable"), OutcomeUnknown),
        ("gateway", 502, "<h1>Bad Gateway</h1>", OutcomeUnknown),
        ("no in a 200", 200, {"success": False, "message": "made up"}, Rejected),
        ("stopped, in a 200", 200, {"success": False, "message": SUSPENDED}, PeerUnreachable),
        ("a 200 without a message", 200, {"success": True}, OutcomeUnknown),
        ("a 200 that is no JSON", 200, "<html>", OutcomeUnknown),
    )

    def __init__(self) -> None:
        self.time = FakeTime()
        self.slept = self.time.slept
        self.taken: list[tuple[str, str]] = []
        self.sent: list[dict[str, Any]] = []
        self.tokens_issued = 0
        self.secrets = (TOKEN, WEBHOOK_SECRET)
        self._closed = self._refuses_all = self._limited = False
        self._limited_until = 0.0
        self._lost = ""
        self._refusal: httpx.Response | None = None
        network = httpx.MockTransport(self._answer)
        self.client = MaxClient(SETTINGS, timing=self.time.timing, transport=network)
        self.channel = MaxChannel(self.client, SETTINGS, account=AccountId("shop"))

    def push(self, text: str, *, chat_id: str, own: bool = False) -> dict[str, Any]:
        """A dialog for positive numbers and for `user:`, where MAX tells no number (§10.2); else a group."""
        body = {"mid": "mid.00aa", "seq": 115_592_404_890_828_190, "text": text}
        message = {
            "sender": _user(own),
            "recipient": _place(chat_id, own),
            "timestamp": CREATED,
            "body": body,
        }
        return {"update_type": "message_created", "timestamp": CREATED + 44, "message": message}

    def push_typing(self, *, chat_id: str) -> None:
        """MAX does not tell that a customer types."""

    def push_of_unknown_kind(self) -> dict[str, Any]:
        return {"update_type": "hologram_sent", "timestamp": CREATED, "chat_id": 90_010}

    def push_of(self, message_id: str) -> dict[str, Any]:
        """MAX is not known to push a bot's own messages; this is how one would look."""
        message = next(one for one in self.sent if one["body"]["mid"] == message_id)
        return {"update_type": "message_created", "timestamp": CREATED, "message": message}

    def webhook(self, body: bytes, *, authentic: bool) -> WebhookRequest:
        secret = WEBHOOK_SECRET if authentic else WEBHOOK_SECRET[:-1] + "x"
        return WebhookRequest(body, {"x-max-bot-api-secret": secret})

    def meaning_of(self, body: Any) -> Normalized:
        """The bot of the payload files is 70700, their cards are signed for TOKEN."""
        ours = Ours(AccountId("default"), BOT, lambda text: f"<{text}>", TOKEN)
        return normalize(body, ours)

    def expire_token(self, how: str) -> None:
        """A bot's token does not expire."""

    def refuse_credentials(self) -> None:
        self._refuses_all = True

    def limit_rate(self, retry_after: float) -> None:
        """The next request, and all within that time; MAX is not known to name the seconds (§1)."""
        self._limited, self._limited_until = True, self.time.now + retry_after

    def answer_next(self, status: int, body: Any) -> None:
        is_text = isinstance(body, str)
        self._refusal = httpx.Response(status, html=body) if is_text else httpx.Response(status, json=body)

    def lose_answers(self, how: str) -> None:
        self._lost = how

    def close_door(self) -> None:
        self._closed = True

    def end_plan(self) -> None:
        """There are no plans."""

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self._closed:
            raise httpx.ConnectError("connection refused")
        if self._refuses_all or request.headers["authorization"] != TOKEN:
            return httpx.Response(401, json=_said("verify.token", f"Invalid access_token {TOKEN}"))
        if self._limited or self.time.now < self._limited_until:
            self._limited = False
            return httpx.Response(429, json=_said("too.many.requests"))
        if request.url.path == "/me":
            return httpx.Response(200, json={**_user(own=True), "description": "Ремонт"})
        if request.url.path == "/subscriptions":
            return httpx.Response(200, json={"subscriptions": []})
        return self._history(request) if request.method == "GET" else self._send(request)

    def _send(self, request: httpx.Request) -> httpx.Response:
        if self._refusal:
            refusal, self._refusal = self._refusal, None
            return refusal
        asked = request.url.params
        chat_id = asked["chat_id"] if "chat_id" in asked else f"user:{asked['user_id']}"
        text = json.loads(request.content)["text"]
        mid = f"mid.{len(self.taken):016x}"
        self.taken.append((chat_id, text))
        now = int(self.time.now * 1000)
        body = {"mid": mid, "seq": (now << 16) + len(self.taken), "text": text}
        place = _place(chat_id, own=True)
        self.sent.append({"sender": _user(own=True), "recipient": place, "timestamp": now, "body": body})
        if self._lost == "502":
            return httpx.Response(502, html="<h1>Bad Gateway</h1>")
        if self._lost:
            raise {"timeout": httpx.ReadTimeout, "reset": httpx.ReadError}[self._lost]("no answer")
        return httpx.Response(200, json={"message": self.sent[-1]})

    def _history(self, request: httpx.Request) -> httpx.Response:
        chat_id = int(request.url.params["chat_id"])
        found = [one for one in self.sent if one["recipient"].get("chat_id") == chat_id]
        return httpx.Response(200, json={"messages": found[::-1]})


def _user(own: bool) -> dict[str, Any]:
    name = "Бот" if own else "Анна"
    return {
        "user_id": BOT if own else ANNA,
        "first_name": name,
        "is_bot": own,
        "last_activity_time": 1,
        "name": name,
    }


def _place(chat_id: str, own: bool) -> dict[str, Any]:
    """In dialogs with the side that did not write (§3.1)."""
    if chat_id.startswith("-"):
        return {"chat_id": int(chat_id), "chat_type": "chat"}
    number = {} if chat_id.startswith("user:") else {"chat_id": int(chat_id)}
    return {**number, "chat_type": "dialog", "user_id": ANNA if own else BOT}
