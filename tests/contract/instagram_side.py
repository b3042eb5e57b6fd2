"""Instagram in memory, answering as the contract (§5 to §13) says: one account of the Instagram Login."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
from pydantic import SecretStr

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
from mcp_instagram.channel import InstagramChannel
from mcp_instagram.client import AccountBarred, InstagramClient
from mcp_instagram.normalize import normalize
from mcp_instagram.settings import InstagramSettings
from tests.contract.fake_time import FakeTime

BASE = "https://graph.example.test"
ME, OLGA = "17841400000000001", "990000000000001"
TOKEN, SECRET, SECOND = (
    "IGAA-first-0123456789",
    "0123456789abcdef0123456789abcdef",
    "second-secret-0123456789",
)
VERIFY = "verify-word-0123456789"
CREATED_MS = 1_763_800_123_456
OUTSIDE = "(#10) This message is sent outside of allowed window."

SETTINGS = InstagramSettings(
    access_token=SecretStr(TOKEN),
    app_secret=SecretStr(SECRET),
    app_secret_2=SecretStr(SECOND),
    verify_token=SecretStr(VERIFY),
    base_url=BASE,
    user_id=ME,
    requests_per_second=1_000,
    burst=1_000,
)


def refusal(code: int, subcode: int | None = None, message: str = "Something is wrong.") -> dict[str, Any]:
    """The envelope of §12."""
    numbers = {"code": code} | ({} if subcode is None else {"error_subcode": subcode})
    return {"error": {"message": message, "type": "OAuthException", **numbers, "fbtrace_id": "A1b2C3"}}


def _row(code: int, subcode: int | None, kind: type[ChannelError], status: int = 400) -> Any:
    return (f"{code}/{subcode}" if subcode else str(code), status, refusal(code, subcode), kind)


class InstagramSide:
    """One account with the channel in front of it."""

    chats: ClassVar[tuple[str, ...]] = (
        OLGA,
        "1",
        "99999999999999999",
        "17841400000000009",
        "28900000000000001",
    )
    bad_chats: ClassVar[tuple[str, ...]] = (
        *("", ".", "..", "olga.k", "@olga.k", "-5", "0", "0990000000000001", "9" * 21),
        *(f" {OLGA}", f"{OLGA}\n", f"{OLGA}/messages", f"{OLGA}?x=1", "١٢٣", "²", "me", "9.9"),
    )
    expiries: ClassVar[tuple[str, ...]] = ()
    has_plan = False
    echoes = True
    tells_wait = False
    refusals: ClassVar[tuple[tuple[str, int, Any, type[ChannelError]], ...]] = (
        _row(1, None, OutcomeUnknown, 500),
        _row(1, 1357046, OutcomeUnknown),
        _row(2, None, OutcomeUnknown, 503),
        _row(2, 1545133, OutcomeUnknown),
        _row(613, None, RateLimited),
        _row(613, 2534040, RateLimited),
        ("429", 429, "", RateLimited),
        _row(10, 2534022, WindowClosed),
        ("10/2534022 in a 403", 403, refusal(10, 2534022, OUTSIDE), WindowClosed),
        ("window in words only", 400, refusal(10, None, OUTSIDE), WindowClosed),
        _row(10, 2018278, WindowClosed, 403),
        _row(10, 2018065, WindowClosed),
        _row(10, 2534077, AccountBarred),
        _row(10, 1893063, AccountBarred),
        _row(100, 2534029, AccountBarred),
        _row(368, None, AccountBarred, 403),
        _row(200, 2534041, AccountBarred, 403),
        _row(36103, None, AccountBarred),
        _row(10, None, Forbidden, 403),
        _row(100, 2534014, NotFound),
        _row(100, 2018001, NotFound),
        _row(100, 33, NotFound),
        _row(100, 2534001, NotFound),
        _row(2534001, None, NotFound),
        _row(9000001, None, NotFound),
        _row(100, 2534015, Rejected),
        _row(100, 2018008, Rejected),
        _row(100, 2018047, Rejected),
        _row(100, 2018294, Rejected),
        _row(100, 2018109, Rejected),
        _row(100, 2534025, Rejected),
        ("100 too long", 400, refusal(100, None, "(#100) Length of param message[text]"), Rejected),
        _row(100, 2018014, ContractBroken),
        _row(100, 2534037, Forbidden),
        *(_row(190, subcode, AuthFailed) for subcode in (None, 458, 459, 460, 463, 467)),
        _row(190, 463, AuthFailed, 401),
        _row(200, None, Forbidden, 403),
        _row(200, 2018028, Forbidden, 403),
        _row(200, 2534048, Forbidden, 403),
        _row(551, None, PeerUnreachable),
        _row(200, 1545041, PeerUnreachable),
        _row(10, 2018108, PeerUnreachable),
        ("an error in a 200", 200, refusal(10, 2534022), WindowClosed),
        ("an unknown code", 400, refusal(4711), Rejected),
        (
            "an unknown code of the moment",
            400,
            {"error": {"code": 4711, "is_transient": True}},
            OutcomeUnknown,
        ),
        ("gateway", 502, "<h1>Bad Gateway</h1>", OutcomeUnknown),
        ("a 200 without an id", 200, {"recipient_id": OLGA}, OutcomeUnknown),
        ("a 200 that is no JSON", 200, "<html>", OutcomeUnknown),
    )

    def __init__(self) -> None:
        self.time = FakeTime()
        self.slept = self.time.slept
        self.taken: list[tuple[str, str]] = []
        self.sent: dict[str, dict[str, Any]] = {}
        self.asked: list[httpx.Request] = []
        self.tokens_issued = 0
        self.secrets = (SECRET, SECOND, VERIFY, "IGAA-")
        self._refuses_all = self._closed = False
        self._lost = ""
        self._gates: list[httpx.Response] = []
        self._refusal: httpx.Response | None = None
        network = httpx.MockTransport(self._answer)
        self.client = InstagramClient(SETTINGS, timing=self.time.timing, transport=network)
        self.channel = InstagramChannel(self.client, SETTINGS, account=AccountId("shop"))

    def push(self, text: str, *, chat_id: str, own: bool = False) -> dict[str, Any]:
        return _delivery(_item({"mid": "aWdfZAG1.0001", "text": text}, chat_id, own=own))

    def push_typing(self, *, chat_id: str) -> None:
        """Instagram does not tell that a customer types."""

    def push_of_unknown_kind(self) -> dict[str, Any]:
        item = _item({}, OLGA)
        del item["message"]
        return _delivery(item | {"hologram": {"mid": "aWdfZAG1.0002"}})

    def push_of(self, message_id: str) -> dict[str, Any]:
        row = self.sent[message_id]
        return _delivery(_item({"mid": message_id, "text": row["message"]}, row["chat"], own=True))

    def webhook(self, body: bytes, *, authentic: bool) -> WebhookRequest:
        key = SECRET if authentic else f"not-{SECRET}"
        sha256 = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        sha1 = hmac.new(key.encode(), body, hashlib.sha1).hexdigest()
        headers = {"x-hub-signature": f"sha1={sha1}", "x-hub-signature-256": f"sha256={sha256}"}
        return WebhookRequest(body, headers)

    def meaning_of(self, body: Any) -> Normalized:
        return normalize(body, user_id=ME, account=AccountId("default"), fingerprint=lambda text: f"<{text}>")

    def expire_token(self, how: str) -> None:
        raise AssertionError(f"an expired token cannot be refreshed (§10), also not by {how!r}")

    def refuse_credentials(self) -> None:
        self._refuses_all = True

    def limit_rate(self, retry_after: float) -> None:
        """Per second (613) or, when it takes longer, the quota of the hour, in minutes (§11)."""
        if not retry_after:
            self._gates.append(httpx.Response(400, json=refusal(613, 2534040)))
            return
        minutes = {"type": "instagram", "estimated_time_to_regain_access": -(-int(retry_after) // 60)}
        headers = {"x-business-use-case-usage": json.dumps({ME: [minutes]})}
        self._gates.append(httpx.Response(400, json=refusal(80002), headers=headers))

    def answer_next(self, status: int, body: Any) -> None:
        given = {"text": body} if isinstance(body, str) else {"json": body}
        self._refusal = httpx.Response(status, **given)

    def lose_answers(self, how: str) -> None:
        self._lost = how

    def close_door(self) -> None:
        self._closed = True

    def end_plan(self) -> None:
        raise AssertionError("there are no plans")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self._closed:
            raise httpx.ConnectError("connection refused")
        self.asked.append(request)
        given = request.headers.get("authorization") or f"Bearer {request.url.params.get('access_token')}"
        if self._refuses_all or not given.startswith("Bearer IGAA-"):
            message = f"Error validating access token {given.removeprefix('Bearer ')}: Session has expired."
            return httpx.Response(400, json=refusal(190, 463, message))
        if self._gates:
            return self._gates.pop(0)
        path = request.url.path.removeprefix("/v26.0")
        if path == "/refresh_access_token":
            return self._refreshed()
        if (request.method, path) == ("POST", "/me/messages"):
            return self._send(json.loads(request.content))
        return self._read(path, request)

    def _refreshed(self) -> httpx.Response:
        self.tokens_issued += 1
        token = f"IGAA-refreshed-{self.tokens_issued}"
        answer = {"access_token": token, "token_type": "bearer", "expires_in": 5_184_000}
        return httpx.Response(200, json=answer)

    def _send(self, body: dict[str, Any]) -> httpx.Response:
        chat = body["recipient"]["id"]
        if self._refusal is not None:
            answer, self._refusal = self._refusal, None
            return answer
        if "sender_action" in body:
            return httpx.Response(200, json={"recipient_id": chat})
        text, message_id = body["message"].get("text", ""), f"aWdfZAG1.sent.{len(self.taken):04}"
        self.taken.append((chat, text))
        self.sent[message_id] = {"chat": chat, "message": text, "at": self.time.now}
        if self._lost == "502":
            return httpx.Response(502, html="<h1>Bad Gateway</h1>")
        if self._lost:
            raise {"timeout": httpx.ReadTimeout, "reset": httpx.ReadError}[self._lost]("no answer")
        return httpx.Response(200, json={"recipient_id": chat, "message_id": message_id})

    def _read(self, path: str, request: httpx.Request) -> httpx.Response:
        if path == "/me":
            return httpx.Response(
                200, json={"user_id": ME, "username": "remont_pro", "id": "28900000000000001"}
            )
        if path == "/me/conversations":
            person = request.url.params.get("user_id", "")
            return httpx.Response(200, json={"data": [{"id": f"aWdfZAG06.{person}"}]})
        chat = path.removeprefix("/aWdfZAG06.").removesuffix("/messages")
        rows = [_history(name, row) for name, row in self.sent.items() if row["chat"] == chat]
        return httpx.Response(200, json={"data": rows[::-1]})


def _item(message: dict[str, Any], chat_id: str, *, own: bool = False) -> dict[str, Any]:
    sender, recipient = (ME, chat_id) if own else (chat_id, ME)
    echo = {"is_echo": True} if own else {}
    parties = {"sender": {"id": sender}, "recipient": {"id": recipient}}
    return {**parties, "timestamp": CREATED_MS, "message": {**message, **echo}}


def _delivery(item: dict[str, Any]) -> dict[str, Any]:
    return {"object": "instagram", "entry": [{"id": ME, "time": CREATED_MS + 500, "messaging": [item]}]}


def _history(name: str, row: dict[str, Any]) -> dict[str, Any]:
    written = datetime.fromtimestamp(row["at"], UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
    us, them = {"id": ME, "username": "remont_pro"}, {"id": row["chat"], "username": "olga.k"}
    return {
        "id": name,
        "created_time": written,
        "from": us,
        "to": {"data": [them]},
        "message": row["message"],
    }
