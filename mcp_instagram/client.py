"""The Graph API for Instagram messaging, one method per endpoint. Facts: vendor contract §4 to §13.

Every method raises ChannelErrors only (core/http.py); methods that are no sends are marked REPEATABLE.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

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
    SessionLost,
    WindowClosed,
)
from core.http import (
    REPEATABLE,
    Complaint,
    MemoryTokenStore,
    Timing,
    Token,
    TokenStore,
    read_answer,
    vendor_client,
)
from core.transports import Layer, masked
from core.vendor_policy import vendor_policy
from mcp_instagram import schemas as wire
from mcp_instagram.settings import InstagramSettings

CHANNEL = "instagram"
#: §13.1: confirmed names. Whatever is asked for, an account delivers all that the app has ticked.
FIELDS = {
    "instagram": "messages,message_echoes,messaging_postbacks,messaging_seen,message_reactions,"
    "messaging_referral,standby",
    "facebook": "messages,messaging_postbacks,message_reactions,messaging_referral",
}
LISTED = "id,updated_time,participants"
DETAILED = "id,created_time,from,to,message,attachments,shares,story,reply_to,is_unsupported"
#: Meta fetches what we send from its address, a video for up to 75 s (§5.2).
FETCH_SECONDS = 80.0
#: A token is renewed this long before its end, and asked for no more this long after a refusal (§10).
RENEW_SECONDS, PAUSE_SECONDS = 10 * 86_400.0, 3_600.0
YOUNG_SECONDS, MARGIN_SECONDS = 86_400.0, 60.0
#: Quotas of the hour are not over sooner (§11); the limits of 613 are per second.
QUOTA_SECONDS = 30.0
_QUOTAS = frozenset({4, 17, 32, 80002, 80006})
_IN_QUERY = "token_in_query"
_ME: TypeAdapter[wire.Me] = TypeAdapter(wire.OwnAccount)

Answer = TypeVar("Answer")


class AccountBarred(SessionLost):
    """Instagram bars the account from messaging: restricted, unlinked, or closed to connected tools."""

    what_to_do = "The owner must set this right at Instagram; repeating does not help before."


class LongTokens:
    """The account's token of 60 days (§10): the configured one until the first refresh, then the store's.

    `good` tells whether the vendor took it last time; `seen` are the values that no error text may show.
    """

    def __init__(
        self,
        configured: str,
        fetch: Callable[[], Awaitable[Token]],
        store: TokenStore,
        wall: Callable[[], float],
    ) -> None:
        self._configured = Token(configured, math.inf)
        self._fetch = fetch
        self._store = store
        self._wall = wall
        self._not_before = wall()
        self._one_at_a_time = asyncio.Lock()
        self._ailing = False
        self.good = True
        self.seen = {configured}

    async def held(self) -> Token:
        """The refreshed token while it lives, else the configured one, whose end nobody knows."""
        stored = await self._store.get()
        if stored is None or stored.expires_at <= self._wall():
            return self._configured
        self.seen.add(stored.value)
        return stored

    async def instead_of(self, refused: Token) -> Token | None:
        """Another replica's newer token, or the configured one; None when there is no other."""
        held = await self.held()
        if held.value != refused.value:
            return held
        self._ailing = refused.value != self._configured.value
        return self._configured if self._ailing else None

    async def renew_at(self) -> float:
        """Unix time of the next refresh: at once, where the end of the token is not known."""
        ends = math.inf if self._ailing else (await self.held()).expires_at
        return self._not_before if math.isinf(ends) else max(self._not_before, ends - RENEW_SECONDS)

    async def renew(self) -> None:
        """Get and keep a fresh token; a refused one is asked for no more for a while.

        Raises Rejected for a token younger than a day, AuthFailed for one that is over.
        """
        async with self._one_at_a_time:
            try:
                token = await self._fetch()
            except ChannelError as error:
                pause = YOUNG_SECONDS if isinstance(error, Rejected) else PAUSE_SECONDS
                self._not_before = self._wall() + pause
                raise
            self.seen.add(token.value)
            await self._store.put(token)
            self._ailing, self._not_before = False, self._wall()

    def layer(self, inner: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        """The auth layer of `vendor_client`."""
        return SignedIn(inner, self)


class SignedIn(Layer):
    """Puts the token in. A refused one is not refreshed, for that is too late (§10); another is tried once.

    The refresh takes it in the query: it is put into a copy of the request, so that no log of requests
    shows it.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, tokens: LongTokens) -> None:
        super().__init__(inner)
        self._tokens = tokens

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        token = await self._tokens.held()
        try:
            return await self._ask(request, token)
        except AuthFailed:
            other = await self._tokens.instead_of(token)
            if other is None:
                raise
        return await self._ask(request, other)

    async def _ask(self, request: httpx.Request, token: Token) -> httpx.Response:
        try:
            response = await self._inner.handle_async_request(_signed(request, token))
        except AuthFailed:
            self._tokens.good = False
            raise
        self._tokens.good = True
        return response


def _signed(request: httpx.Request, token: Token) -> httpx.Request:
    if not request.extensions.get(_IN_QUERY):
        request.headers["Authorization"] = f"Bearer {token.value}"
        return request
    url = request.url.copy_merge_params({"access_token": token.value})
    return httpx.Request(request.method, url, headers=request.headers, extensions=request.extensions)


class InstagramClient:
    """One account of Instagram; constructing it connects to nothing."""

    def __init__(
        self,
        settings: InstagramSettings,
        *,
        store: TokenStore | None = None,
        timing: Timing | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._flavour = settings.flavour
        self._root = f"/{settings.api_version}"
        self._wait = max(FETCH_SECONDS, settings.timeout_seconds)
        self._timing = timing or Timing()
        self.known_user_id = settings.user_id
        self.tokens = LongTokens(
            settings.access_token.get_secret_value(),
            self.refresh_access_token,
            store or MemoryTokenStore(),
            self._timing.wall,
        )
        self._http = vendor_client(
            settings.base_url,
            vendor_policy(
                CHANNEL,
                settings,
                describe=self._described,
                apart={"conversations": (2.0, 1), "heavy": (5.0, 5)},
            ),
            auth_layer=self.tokens.layer,
            timing=self._timing,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def refreshes(self) -> bool:
        """A Page's token has no end and no refresh (§1)."""
        return self._flavour == "instagram"

    async def refresh_access_token(self) -> Token:
        """GET /refresh_access_token (§10): unversioned; the token must be a day old and not over."""
        query = {"grant_type": "ig_refresh_token"}
        marks = REPEATABLE | {_IN_QUERY: True}
        response = await self._http.get("/refresh_access_token", params=query, extensions=marks)
        answer = read_answer(response, wire.TokenAnswer, CHANNEL)
        return Token(answer.access_token, self._timing.wall() + answer.expires_in - MARGIN_SECONDS)

    async def get_me(self) -> None:
        """GET /me (§9): who am I. With a Page's token it is the Page."""
        if not self.refreshes:
            await self._http.get(f"{self._root}/me", params={"fields": "id"})
            return
        me = await self._get(_ME, "me", {"fields": "user_id,username"})
        self.known_user_id = self.known_user_id or me.user_id

    async def user_id(self) -> str:
        """The account's id as webhooks name it: from the settings, or asked once."""
        if self.known_user_id is None:
            await self.get_me()
        return self.known_user_id or ""

    async def post_message(self, igsid: str, message: dict[str, Any], *, reply_to: str = "") -> wire.Sent:
        """POST /me/messages (§5): always RESPONSE (§16 q), never with the tag of a human agent (§6)."""
        body = {"recipient": {"id": _igsid(igsid)}, "messaging_type": "RESPONSE", "message": message}
        if reply_to:
            body["reply_to"] = {"mid": reply_to}
        kind = message.get("attachment", {}).get("type", "")
        marks: dict[str, Any] = {"effect": "send"} | ({"seconds": self._wait} if kind else {})
        if kind in ("audio", "video"):
            marks["counted"] = {"heavy": "sends"}
        response = await self._http.post(f"{self._root}/me/messages", json=body, extensions=marks)
        return read_answer(response, wire.Sent, CHANNEL)

    async def post_sender_action(
        self, igsid: str, action: str, payload: dict[str, str] | None = None
    ) -> None:
        """POST /me/messages (§7): typing_on, mark_seen, react, unreact; repeating does no harm."""
        body: dict[str, Any] = {"recipient": {"id": _igsid(igsid)}, "sender_action": action}
        if payload:
            body["payload"] = payload
        await self._http.post(f"{self._root}/me/messages", json=body, extensions=REPEATABLE)

    async def get_conversations(
        self, *, fields: str = LISTED, limit: int = 25, after: str = "", igsid: str = ""
    ) -> wire.Conversations:
        """GET /me/conversations (§8), newest first; with `igsid` the one with that person."""
        query = {"platform": "instagram", "fields": fields, "limit": limit}
        query |= {"after": after} if after else {}
        query |= {"user_id": _igsid(igsid)} if igsid else {}
        return await self._get(wire.Conversations, "me/conversations", query, counted="conversations")

    async def get_messages(self, conversation_id: str, *, limit: int, after: str = "") -> wire.Messages:
        """GET the conversation's messages (§8), newest first; details of the newest 20 only."""
        query: dict[str, Any] = {"fields": DETAILED, "limit": limit} | ({"after": after} if after else {})
        path = f"{quote(conversation_id, safe='')}/messages"
        return await self._get(wire.Messages, path, query, counted="conversations")

    async def get_profile(self, igsid: str) -> wire.Person:
        """GET one person (§9): refused until they have written to us."""
        return await self._get(wire.Person, _igsid(igsid), {"fields": "name,username,profile_pic"})

    async def post_subscribed_apps(self) -> None:
        """POST /me/subscribed_apps (§13.1): deliver this account's events to the app's callback."""
        query = {"subscribed_fields": FIELDS[self._flavour]}
        path = f"{self._root}/me/subscribed_apps"
        response = await self._http.post(path, params=query, extensions=REPEATABLE)
        read_answer(response, wire.Done, CHANNEL)

    async def get_subscribed_apps(self) -> wire.Apps:
        """GET /me/subscribed_apps (§13.1)."""
        return await self._get(wire.Apps, "me/subscribed_apps", {})

    async def delete_subscribed_apps(self) -> None:
        """DELETE /me/subscribed_apps (§13.1): the account's events are delivered no more."""
        response = await self._http.delete(f"{self._root}/me/subscribed_apps", extensions=REPEATABLE)
        read_answer(response, wire.Done, CHANNEL)

    async def _get(
        self,
        shape: type[Answer] | TypeAdapter[Answer],
        path: str,
        query: dict[str, Any],
        *,
        counted: str = "",
    ) -> Answer:
        marks = REPEATABLE | ({"counted": {counted: "calls"}} if counted else {})
        response = await self._http.get(f"{self._root}/{path}", params=query, extensions=marks)
        return read_answer(response, shape, CHANNEL)

    def _described(self, response: httpx.Response) -> Complaint:
        """No token that this process has held stands in a complaint, wherever it was sent."""
        complaint = describe(response)
        return replace(complaint, words=masked(complaint.words, tuple(self.tokens.seen)))


#: §12, by code and subcode; without a subcode it is every other one of that code.
_KINDS: dict[tuple[int, int | None], type[ChannelError]] = {
    **dict.fromkeys([(1, None), (2, None)], OutcomeUnknown),
    **dict.fromkeys([(code, None) for code in (*_QUOTAS, 613)], RateLimited),
    **dict.fromkeys([(10, 2534022), (10, 2018278), (10, 2018065)], WindowClosed),
    **dict.fromkeys([(10, 2534077), (10, 1893063), (100, 2534029), (368, None)], AccountBarred),
    **dict.fromkeys([(200, 2534041), (36103, None)], AccountBarred),
    **dict.fromkeys([(10, None), (200, None), (100, 2534037)], Forbidden),
    **dict.fromkeys([(551, None), (200, 1545041), (10, 2018108)], PeerUnreachable),
    **dict.fromkeys([(100, 2534014), (100, 2018001), (100, 33)], NotFound),
    **dict.fromkeys([(100, 2534001), (2534001, None), (9000001, None)], NotFound),
    **dict.fromkeys([(9010, None), (230, None)], NotFound),
    (100, None): Rejected,
    (100, 2018014): ContractBroken,
    (190, None): AuthFailed,
}


def describe(response: httpx.Response) -> Complaint:
    """What an answer complains of (§12). Statuses and types vary: code and subcode tell, then the words."""
    refusal = _refusal(response)
    if refusal is None:
        return Complaint()
    numbers = "/".join(str(number) for number in (refusal.code, refusal.error_subcode) if number is not None)
    words = f"{refusal.message or 'no words'} ({numbers or 'no code'})"
    return Complaint(words, kind=_kind(refusal), retry_after=_pause(refusal, response))


def _refusal(response: httpx.Response) -> wire.Refusal | None:
    if response.is_success and not response.content.lstrip()[:20].startswith(b'{"error"'):
        return None
    try:
        return wire.ErrorAnswer.model_validate_json(response.content).error
    except ValidationError:
        return None


def _kind(refusal: wire.Refusal) -> type[ChannelError] | None:
    code, words = refusal.code or 0, (refusal.message or "").lower()
    if refusal.error_subcode and (exact := _KINDS.get((code, refusal.error_subcode))):
        return exact
    if "outside of allowed window" in words:
        return WindowClosed
    if "user consent is required" in words:
        return NotFound
    return _KINDS.get((code, None)) or (OutcomeUnknown if refusal.is_transient else None)


def _pause(refusal: wire.Refusal, response: httpx.Response) -> float | None:
    """Seconds until a used-up quota comes back, told in minutes by a header (§11)."""
    if refusal.code not in _QUOTAS:
        return None
    try:
        usage = json.loads(response.headers.get("x-business-use-case-usage", ""))
        minutes = max(row["estimated_time_to_regain_access"] for rows in usage.values() for row in rows)
        return max(QUOTA_SECONDS, float(minutes) * 60)
    except (ValueError, TypeError, KeyError, AttributeError):
        return QUOTA_SECONDS


def _igsid(written: str) -> str:
    """A person's id: digits (§3). A user name is refused by Instagram as well."""
    if not (written.isascii() and written.isdecimal()) or len(written) > 20 or written[0] == "0":
        raise NotFound("There is no chat with this id: Instagram's are numbers.", channel=CHANNEL)
    return written
