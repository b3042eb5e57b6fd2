"""Telegram in memory, answering as the contract (§1 to §9) says."""

import json
from datetime import UTC, datetime
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
    WindowClosed,
)
from core.ids import AccountId
from mcp_telegram.channel import TelegramChannel
from mcp_telegram.client import TelegramClient
from mcp_telegram.normalize import Reader, normalize
from mcp_telegram.schemas import Place
from mcp_telegram.settings import TelegramSettings
from tests.contract.fake_time import FakeTime

BASE = "https://telegram.example.test"
TOKEN = "7000000001:not-a-real-token"
SECRET = "hook-secret-0123456789"
BOT, OWNER = 7_000_000_001, 800_000_001
CREATED = 1_795_363_200

SETTINGS = TelegramSettings(
    token=TOKEN,  # type: ignore[arg-type]  # pydantic wraps it
    webhook_secret=SECRET,  # type: ignore[arg-type]
    base_url=BASE,
    requests_per_second=1_000,
    burst=1_000,
)


def refusal(status: int, description: str, **parameters: int) -> dict[str, Any]:
    """The error envelope (§1)."""
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return body | ({"parameters": parameters} if parameters else {})


def _bad(words: str, kind: type[ChannelError]) -> tuple[str, int, Any, type[ChannelError]]:
    return (words[:40], 400, refusal(400, f"Bad Request: {words}"), kind)


def _forbidden(words: str, kind: type[ChannelError]) -> tuple[str, int, Any, type[ChannelError]]:
    return (words[:40], 403, refusal(403, f"Forbidden: {words}"), kind)


class TelegramSide:
    """One bot with the channel in front of it; its first chat is one of a business connection."""

    chats: ClassVar[tuple[str, ...]] = (
        "bcAAAAexample:900000002",
        "900000001",
        "-4100000001",
        "-1002000000000",
        "4503599627370495",
        "a/b:c?#[*]%2F:-5",
    )
    bad_chats: ClassVar[tuple[str, ...]] = (
        "",
        ".",
        "..",
        "@remont",
        "0",
        "-",
        "+5",
        "1.5",
        " 900000001",
        "900000001\n",
        "٣",
        ":900000001",
        "bcAAAAexample:",
        "bcAAAAexample:x",
        "ключ:900000001",
        "9" * 20,
        "x" * 513 + ":1",
    )
    expiries: ClassVar[tuple[str, ...]] = ()
    has_plan = False
    echoes = False
    tells_wait = True
    refusals: ClassVar[tuple[tuple[str, int, Any, type[ChannelError]], ...]] = (
        _bad("chat not found", NotFound),
        _bad("message text is empty", Rejected),
        _bad("text must be non-empty", Rejected),
        _bad("message is too long", Rejected),
        _bad("Text is too long", Rejected),
        _bad("message caption is too long", Rejected),
        _bad("can't parse entities: unsupported start tag at byte offset 5", ContractBroken),
        _bad("unsupported parse_mode", ContractBroken),
        _bad("message to be replied not found", Rejected),
        _bad("message is not modified: exactly the same", Rejected),
        _bad("wrong HTTP URL specified", Rejected),
        _bad("failed to get HTTP URL content", Rejected),
        _bad("wrong type of the web page content", Rejected),
        _bad("can't upload file by URL", Rejected),
        _bad("WEBPAGE_CURL_FAILED", Rejected),
        _bad("too many messages to send as an album", Rejected),
        _bad("there are no messages to send", Rejected),
        _bad("Document can't be mixed with other media types", Rejected),
        _bad('failed to send message #2 with the error message "WEBPAGE_MEDIA_EMPTY"', Rejected),
        _bad("file is too big", Rejected),
        _bad("wrong file_id or the file is temporarily unavailable", NotFound),
        _bad("group chat was upgraded to a supergroup chat", Rejected),
        _bad("not enough rights to send text messages to the chat", Forbidden),
        _bad("have no write access to the chat", Forbidden),
        _bad("query is too old and response timeout expired or query ID is invalid", Rejected),
        _bad("BUSINESS_CONNECTION_INVALID", Forbidden),
        _bad("BUSINESS_PEER_INVALID", PeerUnreachable),
        _bad("BUSINESS_PEER_USAGE_MISSING", WindowClosed),
        _bad("something that nobody has seen yet", Rejected),
        ("a revoked token", 401, refusal(401, "Unauthorized"), AuthFailed),
        ("a malformed token", 401, refusal(401, "Unauthorized: invalid token specified"), AuthFailed),
        _forbidden("bot was blocked by the user", PeerUnreachable),
        _forbidden("user is deactivated", PeerUnreachable),
        _forbidden("bot can't initiate conversation with a user", PeerUnreachable),
        _forbidden("bot was kicked from the group chat", PeerUnreachable),
        _forbidden("bot is not a member of the supergroup chat", PeerUnreachable),
        _forbidden("not allowed for reasons of its own", Forbidden),
        ("a 403 of the front end", 403, "<h1>Forbidden</h1>", Forbidden),
        ("an unknown method", 404, refusal(404, "Not Found: method not found"), ContractBroken),
        ("a token that old servers do not know", 404, refusal(404, "Not Found"), AuthFailed),
        ("a 404 of the front end", 404, "<h1>Not Found</h1>", AuthFailed),
        (
            "another poller",
            409,
            refusal(409, "Conflict: terminated by other getUpdates request; make sure that only one runs"),
            ContractBroken,
        ),
        ("a huge body", 413, refusal(413, "Request Entity Too Large"), Rejected),
        ("too many", 429, refusal(429, "Too Many Requests: retry after 3", retry_after=3), RateLimited),
        ("too many, no time", 429, refusal(429, "Too Many Requests"), RateLimited),
        ("a restart", 500, refusal(500, "Internal Server Error: restart"), OutcomeUnknown),
        ("gateway", 502, "<h1>Bad Gateway</h1>", OutcomeUnknown),
        ("gateway timeout", 504, "", OutcomeUnknown),
        ("a 200 without an id", 200, {"ok": True, "result": True}, OutcomeUnknown),
        ("a 200 that is no JSON", 200, "<html>", OutcomeUnknown),
    )

    def __init__(self) -> None:
        self.time = FakeTime()
        self.slept = self.time.slept
        self.taken: list[tuple[str, str]] = []
        self.asked: list[httpx.Request] = []
        self.tokens_issued = 0
        self.secrets = (TOKEN, TOKEN.partition(":")[2], SECRET)
        self._gates: list[httpx.Response] = []
        self._refusal: httpx.Response | None = None
        self._lost = ""
        self._open = True
        network = httpx.MockTransport(self._answered)
        self.client = TelegramClient(SETTINGS, timing=self.time.timing, transport=network)
        self.channel = TelegramChannel(self.client, SETTINGS, account=AccountId("shop"))

    def push(self, text: str, *, chat_id: str, own: bool = False) -> dict[str, Any]:
        """Nothing for `own` in a chat of the bot itself: Telegram tells no bot what it sent (§3)."""
        place = Place.read(chat_id)
        if own and not place.connection:
            return {}
        author = {"id": OWNER, "is_bot": False, "first_name": "Иван"} if own else _customer(place)
        message = {"message_id": 11, "from": author, "chat": _chat(place), "date": CREATED, "text": text}
        if place.connection:
            return _update("business_message", {**message, "business_connection_id": place.connection})
        return _update("message", message)

    def push_typing(self, *, chat_id: str) -> None:
        """Telegram does not tell that a customer types."""

    def push_of_unknown_kind(self) -> dict[str, Any]:
        return _update("hologram", {"message_id": 12})

    def push_of(self, message_id: str) -> dict[str, Any]:
        raise AssertionError("Telegram tells no bot what it sent")

    def webhook(self, body: bytes, *, authentic: bool) -> WebhookRequest:
        secret = SECRET if authentic else SECRET[:-1] + "x"
        return WebhookRequest(body, {"x-telegram-bot-api-secret-token": secret})

    def meaning_of(self, body: Any) -> Normalized:
        now = datetime.fromtimestamp(self.time.now, UTC)
        return normalize(body, Reader(BOT, AccountId("default"), lambda text: f"<{text}>", now))

    def expire_token(self, how: str) -> None:
        raise AssertionError(f"a bot's token has no other to take its place: {how}")

    def refuse_credentials(self) -> None:
        self._gates += [_answer(401, refusal(401, "Unauthorized"))] * 2

    def limit_rate(self, retry_after: float) -> None:
        seconds = int(retry_after)
        said = refusal(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        self._gates.append(_answer(429, said))

    def answer_next(self, status: int, body: Any) -> None:
        self._refusal = _answer(status, body)

    def lose_answers(self, how: str) -> None:
        self._lost = how

    def close_door(self) -> None:
        self._open = False

    def _answered(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if not self._open:
            raise httpx.ConnectError("connection refused")
        if self._gates:
            return self._gates.pop(0)
        place, _, method = request.url.path.rpartition("/")
        known = {"getMe": self._me, "sendMessage": self._send, "getWebhookInfo": self._webhook}
        if place != f"/bot{TOKEN}" or method not in known:
            return _answer(404, refusal(404, "Not Found: method not found"))
        return known[method](request)

    def _me(self, _: httpx.Request) -> httpx.Response:
        me = {"id": BOT, "is_bot": True, "first_name": "Ремонт Про", "username": "remont_pro_bot"}
        return httpx.Response(200, json={"ok": True, "result": me})

    def _webhook(self, _: httpx.Request) -> httpx.Response:
        info = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
        return httpx.Response(200, json={"ok": True, "result": info})

    def _send(self, request: httpx.Request) -> httpx.Response:
        if self._refusal is not None:
            refused, self._refusal = self._refusal, None
            return refused
        body = json.loads(request.content)
        place = Place(body["chat_id"], body.get("business_connection_id", ""))
        self.taken.append((place.chat_id, body["text"]))
        if self._lost == "502":
            return httpx.Response(502, html="<h1>Bad Gateway</h1>")
        if self._lost:
            raise {"timeout": httpx.ReadTimeout, "reset": httpx.ReadError}[self._lost]("no answer")
        shown = {
            "message_id": 100 + len(self.taken),
            "chat": _chat(place),
            "date": CREATED,
            "text": body["text"],
        }
        return httpx.Response(200, json={"ok": True, "result": shown})


def _update(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"update_id": 500_000_001, kind: payload}


def _chat(place: Place) -> dict[str, Any]:
    if place.chat < 0:
        return {"id": place.chat, "title": "Клиенты мастерской", "type": "supergroup"}
    return {"id": place.chat, "first_name": "Ольга", "type": "private"}


def _customer(place: Place) -> dict[str, Any]:
    private = place.connection or place.chat > 0
    return {"id": place.chat if private else 900_000_001, "is_bot": False, "first_name": "Ольга"}


def _answer(status: int, body: Any) -> httpx.Response:
    if isinstance(body, str):
        return httpx.Response(status, html=body)
    seconds = body.get("parameters", {}).get("retry_after")
    return httpx.Response(status, json=body, headers={"Retry-After": str(seconds)} if seconds else {})
