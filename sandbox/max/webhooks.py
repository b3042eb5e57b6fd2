"""Subscriptions and the push of every update to each of them (contract §5)."""

import json
import re
import secrets
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.courier import Courier, Judge, Push
from sandbox.faults import Switchboard
from sandbox.max.errors import body_of, decline, invalid
from sandbox.max.faults import MaxFaults
from sandbox.max.gate import Gate
from sandbox.max.queries import required
from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.shop import Json
from sandbox.timing import Clock

UPDATE_TYPES = {
    "message_created",
    "message_callback",
    "message_edited",
    "message_removed",
    "bot_started",
    "bot_stopped",
    "dialog_removed",
    "dialog_cleared",
    "dialog_muted",
    "dialog_unmuted",
    "bot_added",
    "bot_removed",
    "user_added",
    "user_removed",
    "chat_title_changed",
    "message_chat_created",
}
USER_AGENT = "OneMe/0.1.10 Bot API"


@dataclass(slots=True)
class Subscription:
    """`types` None is all of them; `failing_since` is the first failure after the last success."""

    url: str
    time: int
    types: list[str] | None
    secret: str | None
    failing_since: float | None = None


class Subscriptions(Judge):
    """Who is told; a subscription that fails for 8 hours is dropped, and nobody is notified (§5.2).

    No probe is sent at subscribing and the same url updates its subscription (inferred, §5.1); without
    `secret` the header is absent. The vendor's 100 notifications per second are not simulated.
    """

    def __init__(self, settings: MaxSandboxSettings, now: Clock) -> None:
        self._settings = settings
        self._now = now
        self._known: dict[str, Subscription] = {}

    def all(self) -> list[Subscription]:
        """Those that are alive."""
        for known in list(self._known.values()):
            since = known.failing_since
            if since is not None and self._now() - since >= self._settings.patience:
                del self._known[known.url]
        return list(self._known.values())

    def wants(self, push: Push) -> bool:
        return any(known.url == push.url for known in self.all())

    def takes(self, push: Push, answer: httpx.Response | None) -> bool:
        taken, known = super().takes(push, answer), self._known.get(push.url)
        if known and taken:
            known.failing_since = None
        elif known and known.failing_since is None:
            known.failing_since = self._now()
        return taken

    def forget(self) -> None:
        self._known.clear()

    def routes(self, gate: Gate) -> list[Route]:
        return [
            Route("/subscriptions", gate.guard(self._list), methods=["GET"]),
            Route("/subscriptions", gate.yes_or_no(self._subscribe), methods=["POST"]),
            Route("/subscriptions", gate.yes_or_no(self._unsubscribe), methods=["DELETE"]),
        ]

    async def _list(self, _: Request) -> Response:
        shown = [
            {"url": s.url, "time": s.time, **({"update_types": s.types} if s.types else {})}
            for s in self.all()
        ]
        return JSONResponse({"subscriptions": shown})

    async def _subscribe(self, request: Request) -> None:
        body = await body_of(request)
        url = _checked_url(body.get("url"), self._settings.plain_webhook_hosts)
        made = Subscription(url, int(self._now() * 1000), _types(body), _secret(body))
        self._known[url] = made

    async def _unsubscribe(self, request: Request) -> None:
        """The exact url; another one is a soft failure (unknown in the contract)."""
        url = required(request, "url")
        if url not in self._known:
            decline("there is no subscription with exactly this url")
        del self._known[url]


class Webhooks:
    """Hands updates to the courier; ordering is not promised (§5.2), so a failed push blocks nothing."""

    def __init__(
        self, courier: Courier, subscriptions: Subscriptions, switches: Switchboard[MaxFaults]
    ) -> None:
        self._courier = courier
        self._subscriptions = subscriptions
        self._switches = switches

    @property
    def active(self) -> bool:
        return bool(self._subscriptions.all())

    def push(self, update: Json, *, lane: str, message_id: str) -> None:
        """One update per POST; there is no update id, so the id here is the sandbox's own."""
        kind = str(update.get("update_type", ""))
        body = json.dumps(update, ensure_ascii=False, separators=(",", ":")).encode()
        for known in self._subscriptions.all():
            if known.types is None or kind in known.types or kind not in UPDATE_TYPES:
                push_id = f"max-{secrets.token_hex(8)}"
                headers = self._headers(known.secret)
                self._courier.send(Push(push_id, known.url, lane, message_id, kind, body, headers))

    def _headers(self, secret: str | None) -> dict[str, str]:
        headers = {"content-type": "application/json; charset=utf-8", "user-agent": USER_AGENT}
        if self._switches.now.wrong_secret:
            secret = "not-the-secret"  # noqa: S105  # the switch says so
        return {**headers, "X-Max-Bot-Api-Secret": secret} if secret is not None else headers


def _checked_url(url: object, plain_hosts: tuple[str, ...]) -> str:
    """https without a port; hosts of the setting may do with less."""
    if not isinstance(url, str) or not url.isprintable() or len(url) > 2048:
        invalid("url: must be a web address")
    parts, port = _split(url)
    host = (parts.hostname or "").lower()
    if host and parts.scheme in {"http", "https"} and ({host, "*"} & set(plain_hosts)):
        return url
    if parts.scheme != "https" or not host:
        invalid("url: only https addresses are allowed")
    if port is not None:
        invalid("url: only port 443 is allowed and no port may be given")
    return url


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        invalid("url: must be a web address")


def _types(body: Json) -> list[str] | None:
    """Absent or empty: all of them."""
    types = body.get("update_types")
    if types is None or types == []:
        return None
    if not isinstance(types, list) or not all(isinstance(t, str) and t in UPDATE_TYPES for t in types):
        invalid(f"update_types: must be among {', '.join(sorted(UPDATE_TYPES))}")
    return types


def _secret(body: Json) -> str | None:
    secret = body.get("secret")
    if secret is None:
        return None
    if not isinstance(secret, str) or not re.fullmatch(r"[A-Za-z0-9_-]{5,256}", secret):
        invalid("secret: must be 5 to 256 characters of A-Z, a-z, 0-9, _ and -")
    return secret
