"""The webhook route: size cap -> authenticity -> parse -> normalise -> inbox -> 200.

200 means stored: queued, spooled, or kept as a dead letter. A vendor repeats what it is not thanked for, so
only a failure of our storage is answered with an error that invites a repeat. The path's secret is never
logged.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.channel import Arrival, Channel, Normalized, ShakesHands, WebhookRequest
from core.deadletters import About
from core.echoes import storage_errors
from core.errors import StorageDown
from core.ids import DEFAULT_ACCOUNT, AccountId
from core.inbox import Stored
from core.jsontext import UnreadableJSON, read_json
from core.problems import Problem, from_channel_error, problem

PATIENCE_SECONDS = 1.5

_ANSWERS = {
    "json": Response(b'{"ok":true}', media_type="application/json"),
    "ok": Response(b"ok", media_type="text/plain"),
}


class Intake(Protocol):
    """Where arrivals go (core/inbox.py)."""

    async def put(self, arrivals: Sequence[Arrival]) -> list[Stored]: ...


class Burial(Protocol):
    """Where unreadable bodies go (core/deadletters.py)."""

    async def bury(
        self, door: str, reason: str, detail: str, payload: bytes, about: About | None = None
    ) -> object: ...


class Listener(Protocol):
    """Who hears of what was stored, after the vendor's thanks is due (core/afterwards.py); never waits."""

    def note(self, channel: Channel, arrivals: Sequence[Arrival], stored: Sequence[Stored]) -> None: ...


class Deaf:
    """Nobody listens."""

    def note(self, channel: Channel, arrivals: Sequence[Arrival], stored: Sequence[Stored]) -> None:
        """Nothing."""


def webhook_routes(
    channel_name: str,
    accounts: Mapping[AccountId, Channel],
    inbox: Intake,
    dead: Burial,
    *,
    count: Callable[[str], None] = lambda outcome: None,
    listener: Listener | None = None,
) -> list[Route]:
    """POST /webhook/{channel}, with /{account} and /{secret}, and GET where the vendor checks an address so.

    `count` is told the outcome of every event.
    """
    door = _Door(channel_name, accounts, inbox, dead, count, listener or Deaf())
    methods = ["POST", "GET"] if door.shakes_hands else ["POST"]
    path = f"/webhook/{channel_name}"
    # The whole address first: routes are tried one after the other, and almost everybody has a secret.
    return [
        Route(path + rest, door.receive, methods=methods)
        for rest in ("/{account}/{secret}", "/{account}", "")
    ]


@dataclass(frozen=True)
class _Door:
    name: str
    accounts: Mapping[AccountId, Channel]
    inbox: Intake
    dead: Burial
    count: Callable[[str], None]
    listener: Listener

    async def receive(self, request: Request) -> Response:
        """One delivery of the vendor, or its check of our address."""
        try:
            return await self._receive(request)
        except Problem as refused:
            self.count("refused")
            return refused.response
        except StorageDown as error:
            self.count("storage_down")
            return from_channel_error(error)

    async def _receive(self, request: Request) -> Response:
        addressed = self._addressed(request)
        shown = _shown(request)
        outside = shown.method == "POST" and self._proved_outside_the_body
        if outside:
            addressed = _believed(addressed, shown)
        shown = replace(shown, body=await self._body(request))
        if self.shakes_hands and (agreed := _agreed(addressed, shown)) is not None:
            return PlainTextResponse(agreed)
        believed = addressed if outside else _believed(addressed, shown)
        await self._take(believed, shown.body, request.headers.get("content-type", ""))
        return _ANSWERS[believed[0].capabilities.webhook_answer]

    @cached_property
    def shakes_hands(self) -> bool:
        """Whether the vendor checks an address before it delivers there."""
        return any(isinstance(channel, ShakesHands) for channel in self.accounts.values())

    @property
    def _proved_outside_the_body(self) -> bool:
        """Then strangers are refused before their body is read: it may be tens of megabytes."""
        return self._some.capabilities.webhook_authenticity in ("path_secret", "secret_header")

    def _addressed(self, request: Request) -> list[Channel]:
        """The account of the path; without one the default, or all where they share an address."""
        named = request.path_params.get("account")
        if named is None and self._some.capabilities.shared_webhook:
            return list(self.accounts.values())
        channel = self.accounts.get(AccountId(named or DEFAULT_ACCOUNT))
        return [channel] if channel else []

    @property
    def _some(self) -> Channel:
        return next(iter(self.accounts.values()))

    async def _body(self, request: Request) -> bytes:
        """The raw body; reads no further than the cap, whatever Content-Length says."""
        largest = self._some.capabilities.webhook_max_bytes
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > largest:
            raise Problem(_too_large(largest))
        pieces, size = [], 0
        try:
            async for piece in request.stream():
                size += len(piece)
                if size > largest:
                    raise Problem(_too_large(largest))
                pieces.append(piece)
        except ClientDisconnect as gone:
            raise Problem(problem(400, "incomplete", "The body ended early.")) from gone
        return b"".join(pieces)

    async def _take(self, channels: Sequence[Channel], body: bytes, content_type: str) -> None:
        if not body:
            raise Problem(problem(400, "empty_body", "The body is empty."))
        try:
            parsed = read_json(body)
        except (UnreadableJSON, RecursionError) as error:
            await self._bury("unreadable_json", str(error), body, channels)
            if not _may_be_json(content_type):
                raise Problem(problem(415, "not_json", "Send application/json.")) from error
            return
        if parsed == {}:  # the owner's own check of the address
            return
        meanings = [await self._store(channel, parsed, body) for channel in channels]
        if unknown := dict.fromkeys(meaning.unknown for meaning in meanings if meaning.unknown):
            await self._bury("unknown_payload", "; ".join(unknown), body, channels)
        if nobodys := frozenset.intersection(*(meaning.foreign for meaning in meanings)):
            await self._bury("other_account", ", ".join(sorted(nobodys))[:200], body, channels)

    async def _store(self, channel: Channel, parsed: Any, body: bytes) -> Normalized:
        """Queue what the body means to this account; its meaning, and nothing when that breaks our code."""
        try:
            meaning = channel.normalize(parsed)
            stored = await self.inbox.put(meaning.arrivals)
            for outcome in stored:
                self.count(outcome)
            self.listener.note(channel, meaning.arrivals, stored)
        except StorageDown:
            raise
        except Exception as error:  # noqa: BLE001  # a body that breaks our code must not be repeated for ever
            structlog.get_logger().exception("normalize_failed", channel=self.name, account=channel.account)
            await self._bury("normalize_failed", type(error).__name__, body, [channel])
            return Normalized()
        return meaning

    async def _bury(self, reason: str, detail: str, body: bytes, channels: Sequence[Channel]) -> None:
        about = About(channel=self.name, account=",".join(channel.account for channel in channels))
        with storage_errors():
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.dead.bury(f"webhook:{self.name}", reason, detail, body, about)
        self.count("dead_letter")


def _believed(channels: Sequence[Channel], shown: WebhookRequest) -> list[Channel]:
    """Those to whom it is an authentic delivery, one at least."""
    believed = [channel for channel in channels if shown.method == "POST" and channel.verify(shown)]
    if not believed:
        raise Problem(_unauthentic())
    return believed


def _shown(request: Request) -> WebhookRequest:
    """All but the body."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
    return WebhookRequest(
        b"",
        headers,
        secret=request.path_params.get("secret", ""),
        method="POST" if request.method == "POST" else "GET",
        query=dict(request.query_params),
    )


def _agreed(channels: Sequence[Channel], shown: WebhookRequest) -> str | None:
    """What to answer to a check of our address; None when it is none."""
    asked = (channel.handshake(shown) for channel in channels if isinstance(channel, ShakesHands))
    return next(filter(None, asked), None)


def _unauthentic() -> Response:
    return problem(401, "unauthorized", "This is not an authentic delivery.")


def _too_large(largest: int) -> Response:
    answer = problem(413, "too_large", f"The body is larger than {largest} bytes.")
    answer.headers["Connection"] = "close"
    return answer


def _may_be_json(content_type: str) -> bool:
    """Whether the sender calls it JSON, or does not call it anything."""
    declared = content_type.partition(";")[0].strip().lower()
    return not declared or declared.endswith(("/json", "+json"))
