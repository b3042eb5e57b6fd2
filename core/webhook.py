"""The webhook route: size cap -> authenticity -> parse -> normalise -> inbox -> 200.

200 means stored: queued, spooled, or kept as a dead letter. A vendor repeats what it is not thanked for, so
only a failure of our storage is answered with an error that invites a repeat. The path's secret is never
logged.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from core.channel import Arrival, Channel, WebhookRequest
from core.echoes import storage_errors
from core.errors import StorageDown
from core.ids import DEFAULT_ACCOUNT, AccountId
from core.inbox import Stored
from core.jsontext import UnreadableJSON, read_json
from core.problems import Problem, from_channel_error, problem

MAX_BYTES = 1_048_576
PATIENCE_SECONDS = 1.5

_OK = Response(b'{"ok":true}', media_type="application/json")


class Intake(Protocol):
    """Where arrivals go (core/inbox.py)."""

    async def put(self, arrivals: Sequence[Arrival]) -> list[Stored]: ...


class Burial(Protocol):
    """Where unreadable bodies go (core/deadletters.py)."""

    async def bury(self, door: str, reason: str, detail: str, payload: bytes) -> object: ...


def webhook_routes(
    channel_name: str,
    accounts: Mapping[AccountId, Channel],
    inbox: Intake,
    dead: Burial,
    *,
    max_bytes: int = MAX_BYTES,
    count: Callable[[str], None] = lambda outcome: None,
) -> list[Route]:
    """POST /webhook/{channel}, with /{account} and /{secret}; `count` is told the outcome of every event."""
    door = _Door(channel_name, accounts, inbox, dead, max_bytes, count)
    path = f"/webhook/{channel_name}"
    return [
        Route(path + rest, door.receive, methods=["POST"])
        for rest in ("", "/{account}", "/{account}/{secret}")
    ]


@dataclass(frozen=True)
class _Door:
    name: str
    accounts: Mapping[AccountId, Channel]
    inbox: Intake
    dead: Burial
    max_bytes: int
    count: Callable[[str], None]

    async def receive(self, request: Request) -> Response:
        """One delivery of the vendor."""
        try:
            body = await self._body(request)
            await self._take(self._authentic(request, body), body, request.headers.get("content-type", ""))
        except Problem as refused:
            self.count("refused")
            return refused.response
        except StorageDown as error:
            self.count("storage_down")
            return from_channel_error(error)
        return _OK

    async def _body(self, request: Request) -> bytes:
        """The raw body; reads no further than the cap, whatever Content-Length says."""
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self.max_bytes:
            raise Problem(self._too_large())
        pieces, size = [], 0
        try:
            async for piece in request.stream():
                size += len(piece)
                if size > self.max_bytes:
                    raise Problem(self._too_large())
                pieces.append(piece)
        except ClientDisconnect as gone:
            raise Problem(problem(400, "incomplete", "The body ended early.")) from gone
        return b"".join(pieces)

    def _too_large(self) -> Response:
        answer = problem(413, "too_large", f"The body is larger than {self.max_bytes} bytes.")
        answer.headers["Connection"] = "close"
        return answer

    def _authentic(self, request: Request, body: bytes) -> Channel:
        account = AccountId(request.path_params.get("account", DEFAULT_ACCOUNT))
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]
        }
        shown = WebhookRequest(body, headers, request.path_params.get("secret", ""))
        channel = self.accounts.get(account)
        if channel is None or not channel.verify(shown):
            raise Problem(problem(401, "unauthorized", "This is not an authentic delivery."))
        return channel

    async def _take(self, channel: Channel, body: bytes, content_type: str) -> None:
        if not body:
            raise Problem(problem(400, "empty_body", "The body is empty."))
        try:
            parsed = read_json(body)
        except (UnreadableJSON, RecursionError) as error:
            await self._bury("unreadable_json", str(error), body)
            if not _may_be_json(content_type):
                raise Problem(problem(415, "not_json", "Send application/json.")) from error
            return
        if parsed != {}:  # the owner's own check of the address
            await self._store(channel, parsed, body)

    async def _store(self, channel: Channel, parsed: Any, body: bytes) -> None:
        try:
            meaning = channel.normalize(parsed)
            if meaning.unknown:
                await self._bury("unknown_payload", meaning.unknown, body)
            for outcome in await self.inbox.put(meaning.arrivals):
                self.count(outcome)
        except StorageDown:
            raise
        except Exception as error:  # noqa: BLE001  # a body that breaks our code must not be repeated for ever
            structlog.get_logger().exception("normalize_failed", channel=self.name, account=channel.account)
            await self._bury("normalize_failed", type(error).__name__, body)

    async def _bury(self, reason: str, detail: str, body: bytes) -> None:
        with storage_errors():
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.dead.bury(f"webhook:{self.name}", reason, detail, body)
        self.count("dead_letter")


def _may_be_json(content_type: str) -> bool:
    """Whether the sender calls it JSON, or does not call it anything."""
    declared = content_type.partition(";")[0].strip().lower()
    return not declared or declared.endswith(("/json", "+json"))
