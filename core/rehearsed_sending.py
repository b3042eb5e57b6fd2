"""Rehearsals of what a channel's sending operations would do (core/operations_sending.py)."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from core.accounts import Accounts
from core.auth import speaks_now
from core.capabilities import Capabilities, MediaKind
from core.channel import MediaFile
from core.errors import ChannelError, Rejected
from core.ids import ChatId
from core.media import decode_base64
from core.media_kinds import refuse_kind
from core.rehearsal import Rehearsal, Spared, sends


class RehearsedSending:
    """Each takes the arguments of the operation of its name."""

    def __init__(self, accounts: Accounts, capabilities: Capabilities) -> None:
        self._accounts = accounts
        self._media = capabilities.media

    async def message(self, **given: Any) -> Rehearsal:
        """As send_message checks it."""
        return sends(given["chat_id"], await self._text(given["chat_id"], given))

    async def image(self, **given: Any) -> Rehearsal:
        """As send_image; an address is not opened."""
        if bool(given["image_url"]) == bool(given["image_base64"]):
            raise Rejected("Give either image_url or image_base64.")
        return await self._file("image", given["image_url"], given["image_base64"], given)

    async def file(self, **given: Any) -> Rehearsal:
        """As send_file; an address is not opened."""
        if bool(given["file_url"]) == bool(given["file_base64"]):
            raise Rejected("Give either file_url or file_base64.")
        return await self._file(
            cast(MediaKind, given["kind"]), given["file_url"], given["file_base64"], given
        )

    async def bulk(self, **given: Any) -> Rehearsal:
        """As send_bulk; each chat by itself."""
        self._accounts.one(given["account"])
        parts, chats, refused = 0, [], []
        for chat in dict.fromkeys(given["chat_ids"]):
            try:
                parts += await self._text(chat, given)
                chats.append(chat)
            except ChannelError as error:
                refused.append(Spared(chat_id=chat, reason=error.code))
        return Rehearsal(
            would=f"send 1 text to {len(chats)} chats",
            chats=chats,
            messages=len(chats),
            parts=parts,
            refused=refused,
            refused_count=len(refused),
        )

    async def _text(self, chat_id: str, given: Mapping[str, Any]) -> int:
        sender = self._accounts.one(given["account"]).sender
        more = {"buttons": given.get("buttons", ()), "reply_to": given.get("reply_to", "")}
        return await sender.rehearse_text(ChatId(chat_id), given["text"], **more, speaker=speaks_now())

    async def _file(self, kind: MediaKind, url: str, base64: str, given: Mapping[str, Any]) -> Rehearsal:
        sender, limit = self._accounts.one(given["account"]).sender, self._media.get(kind)
        if limit is None:
            raise refuse_kind(kind)
        name = given.get("file_name", "")
        file = None if url else await asyncio.to_thread(decode_base64, base64, kind, limit, name=name)
        chat_id = ChatId(given["chat_id"])
        parts = await sender.rehearse_file(
            chat_id, kind, file or MediaFile(b"", url=url), given["caption"], speaker=speaks_now()
        )
        return sends(chat_id, parts, f"1 {kind}")
