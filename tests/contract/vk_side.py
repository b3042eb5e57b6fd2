"""VK in memory, answering through respx as the contract (§1 to §5) says."""

import json
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import httpx
import respx

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
    VendorDown,
    WindowClosed,
)
from core.ids import AccountId
from mcp_vk.channel import VkChannel
from mcp_vk.client import VkClient
from mcp_vk.normalize import Here, normalize
from mcp_vk.schemas import moment
from mcp_vk.settings import VkSettings
from tests.contract.fake_time import FakeTime

BASE = "https://vk.example.test"
GROUP, ANNA = 2_200_033, 77_001
DATE = 1_763_800_123
TOKEN, SECRET = "vk-token-0123456789abcdef", "callback-secret-0123456789"
WHEN = moment(DATE + 60)
#: A random_id is looked for in the chat's messages of the last hour, and in the last 100 of them.
REPEAT_SECONDS, REPEAT_MESSAGES = 3_600, 100

SETTINGS = VkSettings(
    access_token=TOKEN,  # type: ignore[arg-type]  # pydantic wraps it
    webhook_secret=SECRET,  # type: ignore[arg-type]
    group_id=GROUP,
    base_url=BASE,
    requests_per_second=1_000,
    burst=1_000,
)

Refusal = tuple[str, int, Any, type[ChannelError]]


def error(code: int, words: str = "words of VK") -> dict[str, Any]:
    """A refusal as VK writes it, with what was asked (§1); never with the key."""
    asked = [{"key": "method", "value": "messages.send"}, {"key": "peer_id", "value": str(ANNA)}]
    return {"error": {"error_code": code, "error_msg": words, "request_params": asked}}


def row_error(code: int) -> dict[str, Any]:
    """The refusal of one of many peers (§3.1)."""
    return {"response": [{"peer_id": ANNA, "message_id": 0, "error": {"code": code, "description": "no"}}]}


#: §2, but for 9 and 29: those name a time longer than our patience (tests/unit/test_vk_client.py).
_CLASSES: dict[type[ChannelError], tuple[int, ...]] = {
    OutcomeUnknown: (1, 10, 36),
    VendorDown: (43,),
    RateLimited: (6,),
    AuthFailed: (2, 4, 5, 7, 14, 17, 27, 28, 200, 203, 1117, 3300),
    Forbidden: (15, 912),
    PeerUnreachable: (
        *(18, 30, 37, 900, 901, 902, 917, 922, 925, 927, 932, 936, 945, 946, 962, 985, 987, 988, 1012),
    ),
    WindowClosed: (950,),
    NotFound: (104, 113, 125),
    ContractBroken: (3, 8, 12, 13, 23, 24, 100),
    Rejected: (105, 114, 118, 121, 122, 129, 909, 910, 911, 913, 914, 920, 921, 924, 940, 943, 944, 949, 969),
}


def _refusals() -> tuple[Refusal, ...]:
    codes = [(code, kind) for kind, known in _CLASSES.items() for code in known]
    return (
        *((f"code {code}", 200, error(code), kind) for code, kind in codes),
        *((f"row {code}", 200, row_error(code), kind) for code, kind in codes),
        ("no more servers", 200, error(2000), Rejected),
        ("a code of tomorrow", 200, error(99_999), Rejected),
        (
            "captcha without a picture",
            200,
            {"error": {"error_code": 14, "redirect_uri": "https://id"}},
            AuthFailed,
        ),
        ("an upload's words", 200, {"error": "no file", "error_descr": "nothing"}, Rejected),
        ("gateway", 502, "<h1>Bad Gateway</h1>", OutcomeUnknown),
        ("their fault", 500, error(10), OutcomeUnknown),
        ("too long an address", 414, "<h1>414</h1>", Rejected),
        ("a 200 that is no JSON", 200, "<html>", OutcomeUnknown),
        ("a 200 without a response", 200, {"ok": 1}, OutcomeUnknown),
        ("a 200 without a number", 200, {"response": []}, OutcomeUnknown),
    )


class VkSide:
    """One community with the channel in front of it."""

    chats: ClassVar[tuple[str, ...]] = ("77001", "2000000001", "-2200044", "1", "999999999999999999")
    bad_chats: ClassVar[tuple[str, ...]] = (
        *("", ".", "..", "0", "-0", "-", "077001", "+77001", " 77001", "77001 ", "77001\n", "1e5", "٧٧٠٠١"),
        *("77001,77002", "77001:19", "durov", "u2i-1", "9" * 19, "9" * 5_000),
    )
    expiries: ClassVar[tuple[str, ...]] = ()
    has_plan = False
    echoes = True
    tells_wait = False
    refusals: ClassVar[tuple[Refusal, ...]] = _refusals()

    def __init__(self) -> None:
        self.time = FakeTime()
        self.slept = self.time.slept
        self.taken: list[tuple[str, str]] = []
        self.sent: dict[str, dict[str, Any]] = {}
        self.asked: list[httpx.Request] = []
        self.tokens_issued = 0
        self.secrets = (TOKEN, SECRET)
        self._by_random_id: dict[str, dict[str, Any]] = {}
        self._gates: list[httpx.Response] = []
        self._refusal: httpx.Response | None = None
        self._lost = ""
        self._refuses_all = False
        self.router = respx.MockRouter(base_url=BASE, assert_all_called=False)
        self.router.post(url__regex=rf"{BASE}/method/(?P<method>[A-Za-z.]+)$").mock(side_effect=self._method)
        network = httpx.MockTransport(self.router.async_handler)
        self.client = VkClient(SETTINGS, timing=self.time.timing, transport=network)
        self.channel = VkChannel(self.client, SETTINGS, account=AccountId("club"))

    def push(self, text: str, *, chat_id: str, own: bool = False) -> dict[str, Any]:
        if own:
            return self._push("message_reply", self._message(text, int(chat_id), -GROUP, 918_273))
        message = self._message(text, int(chat_id), ANNA, 0)
        return self._push("message_new", {"message": message, "client_info": {"keyboard": True}})

    def push_typing(self, *, chat_id: str) -> dict[str, Any]:
        given = {"state": "typing", "from_id": int(chat_id), "to_id": -GROUP}
        return self._push("message_typing_state", given)

    def push_of_unknown_kind(self) -> dict[str, Any]:
        return self._push("group_hologram", {"user_id": ANNA})

    def push_of(self, message_id: str) -> dict[str, Any]:
        return self._push("message_reply", self.sent[message_id])

    def webhook(self, body: bytes, *, authentic: bool) -> WebhookRequest:
        """The secret is in the body; what is no object cannot have one."""
        try:
            parsed = json.loads(body)
        except ValueError:
            return WebhookRequest(body, {})
        if isinstance(parsed, dict):
            parsed["secret"] = SECRET if authentic else f"{SECRET[:-1]}x"
        return WebhookRequest(json.dumps(parsed, ensure_ascii=False).encode(), {})

    def meaning_of(self, body: Any) -> Normalized:
        """Events without a time of their own get 2025-11-22T08:29:43Z."""
        assert WHEN is not None
        return normalize(body, Here(AccountId("default"), GROUP, WHEN, lambda text: f"<{text}>"))

    def expire_token(self, how: str) -> None:
        raise AssertionError(f"the key of a community does not expire: {how}")

    def refuse_credentials(self) -> None:
        self._refuses_all = True

    def limit_rate(self, retry_after: float) -> None:
        """VK names no seconds (§1); for a long time it says "flood"."""
        self._gates.append(httpx.Response(200, json=error(9 if retry_after > 60 else 6)))

    def answer_next(self, status: int, body: Any) -> None:
        page = isinstance(body, str)
        self._refusal = httpx.Response(status, html=body) if page else httpx.Response(status, json=body)

    def lose_answers(self, how: str) -> None:
        self._lost = how

    def close_door(self) -> None:
        for route in self.router.routes:
            route.mock(side_effect=httpx.ConnectError("connection refused"))

    def end_plan(self) -> None:
        raise AssertionError("VK's API is free")

    def _push(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        event = f"{kind}-{given.get('conversation_message_id', 1)}"
        return {"type": kind, "event_id": event, "v": "5.199", "group_id": GROUP, "object": given}

    def _message(self, text: str, peer_id: int, from_id: int, random_id: int) -> dict[str, Any]:
        return {
            "id": 0 if peer_id > 2_000_000_000 else 51_240 + len(self.sent),
            "date": DATE,
            "peer_id": peer_id,
            "from_id": from_id,
            "out": int(from_id < 0),
            "text": text,
            "conversation_message_id": 19 + len(self.sent),
            "attachments": [],
            "fwd_messages": [],
            "random_id": random_id,
            "is_hidden": False,
        }

    def _method(self, request: httpx.Request, method: str) -> httpx.Response:
        self.asked.append(request)
        form = dict(parse_qsl(request.content.decode(), keep_blank_values=True))
        if self._refuses_all or request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _says(error(5, "User authorization failed: invalid access_token (4)."))
        if form.get("v") != "5.199":
            return _says(error(8, "Invalid request: v (version) is required"))
        if self._gates:
            return self._gates.pop(0)
        known = {
            "messages.send": self._send,
            "messages.getHistory": self._history,
            "messages.getById": self._by_id,
        }
        return known.get(method, self._community)(form)

    def _community(self, _: dict[str, str]) -> httpx.Response:
        return _says({"response": {"groups": [{"id": GROUP, "name": "Мастерская"}], "profiles": []}})

    def _send(self, form: dict[str, str]) -> httpx.Response:
        """A repeated random_id gives no second message (§3.1), as long as dev.vk.com promises."""
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            return refusal
        first = self._by_random_id.get(form["random_id"])
        message = first if first and self._recalls(first) else self._taken(form)
        if self._lost == "502":
            return httpx.Response(502, html="<h1>Bad Gateway</h1>")
        if self._lost:
            raise {"timeout": httpx.ReadTimeout, "reset": httpx.ReadError}[self._lost]("no answer")
        cmid = message["conversation_message_id"]
        row = {"peer_id": message["peer_id"], "message_id": message["id"], "conversation_message_id": cmid}
        return _says({"response": [row]})

    def _recalls(self, first: dict[str, Any]) -> bool:
        later = list(self.sent.values())[list(self.sent.values()).index(first) + 1 :]
        since = [one for one in later if one["peer_id"] == first["peer_id"]]
        return self.time.now < first["date"] + REPEAT_SECONDS and len(since) < REPEAT_MESSAGES

    def _taken(self, form: dict[str, str]) -> dict[str, Any]:
        peer_id, text = int(form["peer_ids"]), form["message"]
        message = self._message(text, peer_id, -GROUP, int(form["random_id"]))
        message["date"] = int(self.time.now)
        self.taken.append((form["peer_ids"], text))
        self.sent[f"{peer_id}:{message['conversation_message_id']}"] = message
        self._by_random_id[form["random_id"]] = message
        return message

    def _by_id(self, form: dict[str, str]) -> httpx.Response:
        found = [one for one in self.sent.values() if str(one["id"]) == form.get("message_ids")]
        return _says({"response": {"count": len(found), "items": found}})

    def _history(self, form: dict[str, str]) -> httpx.Response:
        known = [one for one in self.sent.values() if str(one["peer_id"]) == form["peer_id"]]
        return _says({"response": {"count": len(known), "items": known[::-1]}})


def _says(body: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json=body)
