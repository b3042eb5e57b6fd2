"""One look at one account of a channel: what is wrong with it, after mending what can be mended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import structlog

from core.channel import Channel, HasToken, Subscribes, TellsTroubles, Trouble, TroubleCode, WebhookStatus
from core.errors import (
    AuthFailed,
    ChannelError,
    PlanRequired,
    RateLimited,
    Rejected,
    SessionLost,
    StorageDown,
)

_MEANINGS: dict[type[ChannelError], TroubleCode] = {
    AuthFailed: "credentials_refused",
    PlanRequired: "plan_required",
    SessionLost: "session_lost",
}


class MaySubscribe(Protocol):
    """Whether this replica is the one that subscribes now (core/account_marks.py); may raise StorageDown."""

    async def __call__(self, channel: Channel) -> bool: ...


async def troubles_of(
    channel: Channel, *, public_url: str, may_subscribe: MaySubscribe, now: datetime
) -> list[Trouble]:
    """What is wrong. An account that its vendor refuses is asked no further questions."""
    found: list[Trouble] = []
    try:
        found += await _token(channel, now)
        found += await _subscription(channel, public_url, may_subscribe)
        found += await _told(channel)
    except RateLimited:  # too busy to be looked at is no trouble
        return found
    except StorageDown as error:
        found.append(Trouble(code="not_subscribed", detail=error.detail))
    except ChannelError as error:
        found.append(_meaning(error))
    return found


async def _token(channel: Channel, now: datetime) -> list[Trouble]:
    if not isinstance(channel, HasToken):
        return []
    status = await channel.token_status()
    if not status.renew_at or datetime.fromisoformat(status.renew_at) > now:
        return []
    try:
        await channel.refresh_token()
    except RateLimited:
        raise
    except ChannelError as error:
        if isinstance(error, AuthFailed):
            raise
        said = f"The token ends at {status.expires_at} and cannot be refreshed: {error.detail}"
        return [Trouble(code="token_expiring", detail=said)]
    return []


async def _subscription(channel: Channel, public_url: str, may_subscribe: MaySubscribe) -> list[Trouble]:
    if not isinstance(channel, Subscribes):
        return [] if await channel.is_up() else [_down()]
    status = await channel.webhook_status()
    if status.subscribed:
        return []
    why_not = _unsafe(channel, status, public_url)
    if not why_not and not await may_subscribe(channel):
        return [Trouble(code="not_subscribed", detail="Another replica subscribes at this moment.")]
    why_not = why_not or await _subscribed_again(channel, channel, public_url)
    return [Trouble(code="not_subscribed", detail=why_not)] if why_not else []


def _unsafe(channel: Channel, status: WebhookStatus, public_url: str) -> str:
    """Why the subscription must be left to a person; "" when it need not."""
    if not public_url:
        return "The messenger delivers nothing to us: subscribe, or set PUBLIC_URL to have it done."
    if status.urls and channel.capabilities.webhook_slots == "one":
        return "The messenger delivers to another address, and can have one only: it is not taken over."
    return ""


async def _subscribed_again(channel: Channel, subscribes: Subscribes, public_url: str) -> str:
    address = f"{public_url}/webhook/{channel.name}/{channel.account}"
    try:
        status = await subscribes.subscribe_webhook(address)
    except Rejected as error:
        return f"The messenger refuses our address: {error.detail}"
    structlog.get_logger().info("subscribed", channel=channel.name, account=channel.account)
    return "" if status.subscribed else "The messenger took our address but does not show it."


async def _told(channel: Channel) -> Sequence[Trouble]:
    return await channel.troubles() if isinstance(channel, TellsTroubles) else []


def _meaning(error: ChannelError) -> Trouble:
    code = next((code for kind, code in _MEANINGS.items() if isinstance(error, kind)), None)
    return Trouble(code=code or "vendor_down", detail=error.detail)


def _down() -> Trouble:
    return Trouble(code="vendor_down", detail="The messenger does not answer.")
