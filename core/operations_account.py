"""Operations about an account itself: where the vendor delivers, its token, links to its files."""

from typing import Annotated, Protocol

from pydantic import Field

from core.accounts import Accounts
from core.arguments import AccountArgument, WebhookArgument
from core.channel import (
    Channel,
    HasToken,
    MediaLink,
    OpensFiles,
    ResolvesMedia,
    Subscribes,
    TokenStatus,
    WebhookStatus,
)
from core.errors import NotFound, Rejected
from core.ids import AccountId
from core.operations import Operation
from core.rehearsal import Rehearsal, takes


class LinksFiles(Protocol):
    """Gives addresses of ours to files that the vendor shows to our token only (core/files.py)."""

    def link(self, account: AccountId, file_id: str) -> MediaLink:
        """Raises Rejected when we have no public address."""


class AccountAffairs:
    """What is asked of an account rather than of a chat."""

    def __init__(self, accounts: Accounts, links: LinksFiles | None) -> None:
        self._accounts = accounts
        self._links = links

    def operations(self, some: Channel) -> list[Operation]:
        """Those that a channel with these parts can serve."""
        passed_on = self._links is not None and isinstance(some, OpensFiles)
        return [
            *(self._subscribing() if isinstance(some, Subscribes) else []),
            *(self._token() if isinstance(some, HasToken) else []),
            *(self._media() if passed_on or isinstance(some, ResolvesMedia) else []),
        ]

    def _subscribing(self) -> list[Operation]:
        on, off, show = (f"/api/webhook/{word}" for word in ("subscribe", "unsubscribe", "status"))
        return [
            Operation("subscribe_webhook", "Subscribe our webhook", "POST", on, self._subscribe, "redirect"),
            Operation("webhook_status", "Show webhook status", "GET", show, self._webhook_status, "read"),
            Operation(
                "unsubscribe_webhook",
                "Unsubscribe a webhook",
                "POST",
                off,
                self._unsubscribe,
                "delete",
                rehearse=self._rehearse_unsubscribe,
            ),
        ]

    def _token(self) -> list[Operation]:
        show, new = self._token_status, self._refresh
        return [
            Operation("token_status", "Show token status", "GET", "/api/token", show, "read", tool=False),
            Operation(
                "refresh_token", "Refresh token", "POST", "/api/token/refresh", new, "change", tool=False
            ),
        ]

    def _media(self) -> list[Operation]:
        run = self._media_link
        return [
            Operation("media_link", "Link a file", "GET", "/api/media/{file_id}", run, "read", tool=False)
        ]

    async def _subscribe(
        self,
        url: WebhookArgument,
        version: Annotated[
            str, Field(max_length=20, description="Only for vendors with versions", examples=["v3"])
        ] = "",
        account: AccountArgument = "default",
    ) -> WebhookStatus:
        """Ask the messenger to deliver messages to this address, when webhook_status shows another."""
        del version  # part of the REST contract; each channel subscribes with the version it speaks
        return await self._accounts.part(account, Subscribes).subscribe_webhook(url)

    async def _webhook_status(self, account: AccountArgument = "default") -> WebhookStatus:
        """Show where the messenger delivers messages now, to find out why none come."""
        return await self._accounts.part(account, Subscribes).webhook_status()

    async def _unsubscribe(self, url: WebhookArgument, account: AccountArgument = "default") -> WebhookStatus:
        """Stop the deliveries to this address, when the service moves or ends."""
        return await self._accounts.part(account, Subscribes).unsubscribe_webhook(url)

    async def _rehearse_unsubscribe(self, *, url: str, account: str) -> Rehearsal:
        status = await self._accounts.part(account, Subscribes).webhook_status()
        return takes("stop the messenger's deliveries to this address", addresses=len(status.urls))

    async def _token_status(self, account: AccountArgument = "default") -> TokenStatus:
        """Show whether an access token is held and until when, if calls are refused."""
        return await self._accounts.part(account, HasToken).token_status()

    async def _refresh(self, account: AccountArgument = "default") -> TokenStatus:
        """Ask the messenger for a fresh access token, when the present one is refused."""
        return await self._accounts.part(account, HasToken).refresh_token()

    async def _media_link(
        self,
        file_id: Annotated[
            str, Field(min_length=1, max_length=512, description="From a message", examples=["voice-7"])
        ],
        account: AccountArgument = "default",
    ) -> MediaLink:
        """Get a link that opens a voice note or file now, when the one in a message has ended."""
        channel = self._accounts.one(account).channel
        passed_on = self._links if isinstance(channel, OpensFiles) else None
        if isinstance(channel, ResolvesMedia):
            try:
                return await channel.media_link(file_id)
            except NotFound:  # the vendor may have the bytes without a link
                if passed_on is None:
                    raise
        if passed_on is None:
            raise Rejected(f"The account {account!r} cannot do this.")
        return passed_on.link(self._accounts.name(account), file_id)
