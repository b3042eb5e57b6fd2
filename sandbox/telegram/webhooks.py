"""Setting, deleting and showing the webhook; calls in a webhook's answer (contract §2.1 to §2.4)."""

import ipaddress
import re
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx
from starlette.requests import Request

from sandbox.answers import RefusedError
from sandbox.telegram.calls import Call, read_call
from sandbox.telegram.courier import Deliveries, Hook
from sandbox.telegram.errors import bad, conflict, flood
from sandbox.telegram.gate import Gate, Method, Told
from sandbox.telegram.settings import TelegramSandboxSettings
from sandbox.telegram.updates import Updates
from sandbox.timing import Timing

PORTS = {None, 80, 88, 443, 8443}
LONGEST_SECRET = 256
LARGEST_CERTIFICATE = 3 * 1024 * 1024


class Webhooks:
    def __init__(
        self, settings: TelegramSandboxSettings, timing: Timing, updates: Updates, deliveries: Deliveries
    ) -> None:
        self._settings = settings
        self._timing = timing
        self._updates = updates
        self._deliveries = deliveries
        self._set_at: float | None = None
        self._latest: object = None

    def methods(self) -> dict[str, Method]:
        return {"setWebhook": self._set, "deleteWebhook": self._delete, "getWebhookInfo": self._show}

    def forget(self) -> None:
        self._set_at = None
        self._deliveries.set_hook(Hook())

    async def _set(self, call: Call) -> Any:
        """At most once a second; the same values again change only the allowed updates."""
        self._check_pace()
        url = call.text("url")
        if url is None:
            return self._remove(call)
        hook = self._hook_of(call, url)
        await self._verify()
        self._updates.allow(call.structure("allowed_updates"))
        dropped = call.flag("drop_pending_updates")
        if dropped:
            self._updates.drop()
        if not dropped and not hook.has_certificate and _settled(hook) == _settled(self._deliveries.hook):
            return Told(True, "Webhook is already set")
        self._deliveries.set_hook(hook)
        return Told(True, "Webhook was set")

    async def _delete(self, call: Call) -> Any:
        return self._remove(call)

    def _remove(self, call: Call) -> Told:
        if call.flag("drop_pending_updates"):
            self._updates.drop()
        if not self._deliveries.hook.url:
            return Told(True, "Webhook is already deleted")
        self._deliveries.set_hook(Hook())
        return Told(True, "Webhook was deleted")

    async def _show(self, _: Call) -> Any:
        """Keys beside the first three only when there is something to say."""
        hook, allowed = self._deliveries.hook, self._updates.allowed
        shown = {
            "last_error_date": int(hook.last_error_at),
            "last_error_message": hook.last_error,
            "max_connections": hook.most_connections if hook.url else 0,
            "ip_address": hook.ip,
            "allowed_updates": sorted(allowed) if allowed else None,
        }
        return {
            "url": hook.url,
            "has_custom_certificate": hook.has_certificate,
            "pending_update_count": len(self._updates.pending()),
            **{key: value for key, value in shown.items() if value},
        }

    def _check_pace(self) -> None:
        now = self._timing.now()
        if self._set_at is not None and 0 <= now - self._set_at < 1:
            flood(1)
        self._set_at = now

    async def _verify(self) -> None:
        """Name and address are looked up; whoever comes meanwhile wins."""
        self._latest = mine = object()
        if self._settings.webhook_check:
            await self._timing.sleep(self._settings.webhook_check)
        if self._latest is not mine:
            conflict("terminated by other setWebhook")

    def _hook_of(self, call: Call, url: str) -> Hook:
        parts = _parts(url)
        if self._settings.strict_webhook:
            _check_strictly(parts, call.text("ip_address"))
        secret = call.text("secret_token") or ""
        if len(secret) > LONGEST_SECRET:
            bad("secret token is too long")
        if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
            bad("secret token contains unallowed characters")
        connections = min(max(call.integer("max_connections", 40), 1), 100)
        return Hook(url, secret, call.text("ip_address") or "", connections, _has_certificate(call))


def _settled(hook: Hook) -> Hook:
    """The hook as it was set, without what happened since."""
    return replace(hook, last_error="", last_error_at=0.0, gone_since=None)


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        bad("invalid webhook URL specified")
    return parts


def _check_strictly(parts: SplitResult, address: str | None) -> None:
    """What the public server wants; only addresses given as such are looked at, no names are resolved."""
    if parts.scheme != "https":
        bad("bad webhook: An HTTPS URL must be provided for webhook")
    if parts.port not in PORTS:
        bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
    try:
        number = ipaddress.ip_address(address or str(parts.hostname))
    except ValueError:
        return
    if number.version == 6:
        bad("bad webhook: IPv6-only addresses are not allowed")
    if number.is_private or number.is_reserved:
        bad(f"bad webhook: IP address {number} is reserved")


def _has_certificate(call: Call) -> bool:
    named = call.text("certificate") or ""
    upload = call.uploads.get(named.removeprefix("attach://") if named else "certificate")
    if upload and len(upload.content) > LARGEST_CERTIFICATE:
        bad("certificate size is too big")
    return upload is not None


async def obey(gate: Gate, answer: httpx.Response) -> None:
    """Run the method call that a webhook's answer may carry (§2.3)."""
    if not answer.content:
        return
    try:
        call = await read_call(_as_request(answer))
    except RefusedError:
        return
    if method := call.text("method"):
        await gate.run(method, call)


def _as_request(answer: httpx.Response) -> Request:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": answer.content, "more_body": False}

    headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() == b"content-type"]
    return Request({"type": "http", "method": "POST", "headers": headers, "query_string": b""}, receive)
