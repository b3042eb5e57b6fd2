"""Wappi's API, one method per endpoint under Wappi's own names. Facts: vendor contract §2, §3, §7.

Every method raises ChannelErrors only (core/http.py); methods that are no sends are marked REPEATABLE.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from core.channel import MediaFile
from core.errors import AuthFailed, BadCursor, ChannelError, ContractBroken, NotFound, Rejected, SessionLost
from core.http import REPEATABLE, Complaint, Timing, read_answer, vendor_client
from core.jsontext import without_surrogates
from core.transports import Layer
from core.vendor_policy import vendor_policy
from mcp_whatsapp.schemas import (
    ContactAnswer,
    ContactCheck,
    Dialogs,
    Done,
    Downloaded,
    ErrorAnswer,
    Item,
    Messages,
    OneMessage,
    Person,
    ProfileStatus,
    Sent,
    WebhookUrl,
    address,
)
from mcp_whatsapp.settings import WhatsAppSettings

CHANNEL = "whatsapp"
#: What we must hear; a new profile tells nothing of outgoing messages (§3.7).
WANTED_TYPES = frozenset(
    {
        "incoming_message",
        "delivery_status",
        "outgoing_message_api",
        "outgoing_message_phone",
        "incoming_call",
        "authorization_status",
    }
)
#: A file in base64 over a slow line (§7).
FILE_SECONDS = 120.0
LARGEST_PAGE = 100
_LARGEST_ERROR = 65_536
_FORBIDDEN = 403
_WRONG_VERB = 405
#: Words of refusals (§7); those for a session and a profile are inferred, nobody has seen them.
_MEANINGS: tuple[tuple[str, type[ChannelError]], ...] = (
    ("not authorized", SessionLost),
    ("profile not found", AuthFailed),
    ("not found", NotFound),
    ("download media error", NotFound),
)

_CHAT = re.compile(r"[0-9]{5,15}(@c\.us|@s\.whatsapp\.net)?|[0-9]{5,20}(-[0-9]{5,15})?@g\.us|[0-9]{5,20}@lid")
#: A Russian number with the 8 of calls at home: Wappi would take it and deliver nothing (§2.1). No country's
#: code begins with 89; other numbers that begin with 8 may be Vietnam's or Hong Kong's.
_TRUNK_PREFIX = re.compile(r"89[0-9]{9}")
_PHONE_SIGNS = str.maketrans("", "", "+ ()-.\u00a0")

Answer = TypeVar("Answer")


class WappiClient:
    """One profile of Wappi; constructing it connects to nothing."""

    def __init__(
        self,
        settings: WhatsAppSettings,
        *,
        timing: Timing | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.profile_id = settings.profile_id
        self.phrase = phrase_of(settings)
        #: The number of this profile, as soon as `get/status` has told it.
        self.known_phone: str | None = None
        self.timing = timing or Timing()
        self._file_seconds = max(FILE_SECONDS, settings.timeout_seconds)
        self._one_download = asyncio.Lock()
        self._http = vendor_client(
            settings.base_url,
            vendor_policy(
                CHANNEL,
                settings,
                describe=describe,
                apart={"send": (settings.sends_per_second, settings.burst)},
                secrets=(phrase_of(settings),),
            ),
            auth_layer=lambda inner: Signed(inner, settings),
            timing=timing,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get_status(self) -> ProfileStatus:
        """GET get/status (§3.1): session, payment and webhook in one answer."""
        status = await self._get(ProfileStatus, "/api/sync/get/status")
        self.known_phone = status.phone or self.known_phone
        return status

    async def message_send(self, recipient: str, body: str) -> str:
        """POST message/send (§3.2)."""
        return await self._send("message/send", {"recipient": recipient, "body": _text(body)})

    async def message_reply(self, message_id: str, body: str) -> str:
        """POST message/reply (§3.2): into the chat of the quoted message, whichever that is."""
        return await self._send("message/reply", {"message_id": message_id, "body": _text(body)})

    async def img_send(self, recipient: str, image: MediaFile, caption: str) -> str:
        """POST message/img/send (§3.2): pure base64."""
        return await self._send_file("message/img/send", recipient, image, caption=_text(caption))

    async def video_send(self, recipient: str, video: MediaFile, caption: str) -> str:
        """POST message/video/send (§3.2)."""
        return await self._send_file("message/video/send", recipient, video, caption=_text(caption))

    async def audio_send(self, recipient: str, audio: MediaFile) -> str:
        """POST message/audio/send (§3.2): there is no caption."""
        return await self._send_file("message/audio/send", recipient, audio)

    async def document_send(self, recipient: str, document: MediaFile, caption: str) -> str:
        """POST message/document/send (§3.2): always a document, also when it is a picture."""
        words = {"caption": _text(caption), "file_name": _text(document.name)}
        return await self._send_file("message/document/send", recipient, document, **words)

    async def message_reaction(self, message_id: str, emoji: str) -> None:
        """POST message/reaction (§3.2): an empty one takes ours away."""
        await self._done("/api/sync/message/reaction", {"message_id": message_id, "body": _text(emoji)})

    async def message_edit(self, message_id: str, body: str) -> None:
        """POST message/edit (§3.2): within 15 minutes; the id in the answer is not the edited one's."""
        await self._done("/api/sync/message/edit", {"message_id": message_id, "body": _text(body)})

    async def message_delete(self, message_id: str) -> None:
        """POST message/delete (§3.2)."""
        await self._done("/api/sync/message/delete", {"message_id": message_id})

    async def mark_read(self, message_id: str) -> None:
        """POST message/mark/read with mark_all (§3.2): the id only points to the chat."""
        await self._done("/api/sync/message/mark/read", {"message_id": message_id}, {"mark_all": "true"})

    async def typing_start(self, recipient: str) -> None:
        """POST chat/typing/start (§3.4): shows for 20 s."""
        await self._done("/api/sync/chat/typing/start", {"recipient": recipient})

    async def chats_get(self, *, limit: int, offset: int = 0, ids: Sequence[str] = ()) -> Dialogs:
        """POST chats/get (§3.4), newest first; `ids` may be parts of the chats' ids."""
        body = {"filter": {"ids": list(ids)}} if ids else {}
        return await self._post(Dialogs, "/api/sync/chats/get", body, {"limit": limit, "offset": offset})

    async def messages_get(self, chat_id: str, *, limit: int, offset: int = 0) -> Messages:
        """GET messages/get (§3.5), newest first; does not mark the chat as read."""
        query = {"chat_id": chat_id, "limit": limit, "offset": offset, "order": "desc"}
        return await self._rows("/api/sync/messages/get", query)

    async def messages_all_get(self, *, limit: int, offset: int) -> Messages:
        """GET messages/all/get (§3.5): across all chats, newest first."""
        query = {"limit": limit, "offset": offset, "order": "desc"}
        return await self._rows("/api/sync/messages/all/get", query)

    async def messages_id_get(self, message_id: str) -> Item:
        """GET messages/id/get (§3.5)."""
        query = {"message_id": message_id}
        return (await self._get(OneMessage, "/api/sync/messages/id/get", query)).message

    async def media_download(self, message_id: str) -> Downloaded:
        """GET message/media/download (§3.5), one at a time: two at once may get each other's file."""
        query, marks = {"message_id": message_id}, {"seconds": self._file_seconds}
        async with self._one_download:
            response = await self._http.get(
                "/api/sync/message/media/download", params=query, extensions=marks
            )
        return read_answer(response, Downloaded, CHANNEL)

    async def contact_get(self, recipient: str) -> Person:
        """GET contact/get (§3.6)."""
        return (await self._get(ContactAnswer, "/api/sync/contact/get", {"recipient": recipient})).contact

    async def contact_check(self, phone: str) -> bool:
        """GET contact/check (§3.6): whether the number has WhatsApp."""
        return (await self._get(ContactCheck, "/api/sync/contact/check", {"phone": phone})).on_whatsapp

    async def webhook_url_get(self) -> str:
        """GET webhook/url/get (§3.7): where the profile delivers, "" when nowhere."""
        answer = await self._get(WebhookUrl, "/api/webhook/url/get")
        return "" if answer.installed is False else answer.url or ""

    async def webhook_url_set(self, url: str) -> None:
        """POST webhook/url/set (§3.7): address and phrase stand in the query; replaces what was there."""
        marks = REPEATABLE | {"hidden": {"url": url, "auth": self.phrase}}
        response = await self._http.post("/api/webhook/url/set", extensions=marks)
        read_answer(response, Done, CHANNEL)

    async def webhook_url_delete(self) -> None:
        """POST webhook/url/delete (§3.7)."""
        response = await self._http.post("/api/webhook/url/delete", extensions=REPEATABLE)
        read_answer(response, Done, CHANNEL)

    async def webhook_types_set(self, types: Sequence[str]) -> None:
        """POST webhook/types/set (§3.7): a bare array, which replaces the whole set."""
        await self._done("/api/webhook/types/set", list(types))

    async def _send(self, path: str, body: dict[str, str], *, seconds: float | None = None) -> str:
        marks: dict[str, Any] = {"effect": "send", "counted": {"send": self.profile_id}}
        if seconds:
            marks["seconds"] = seconds
        response = await self._http.post(f"/api/sync/{path}", json=body, extensions=marks)
        return read_answer(response, Sent, CHANNEL).message_id

    async def _send_file(self, path: str, recipient: str, file: MediaFile, **words: str) -> str:
        encoded = base64.b64encode(file.content).decode()
        body = {"recipient": recipient, **words, "b64_file": encoded}
        return await self._send(path, body, seconds=self._file_seconds)

    async def _rows(self, path: str, query: dict[str, Any]) -> Messages:
        """An empty chat may be told as a refusal (§7)."""
        try:
            return await self._get(Messages, path, query)
        except NotFound as error:
            if "messages not found" in error.detail.lower():
                return Messages(status="done")
            raise

    async def _get(self, shape: type[Answer], path: str, query: dict[str, Any] | None = None) -> Answer:
        return read_answer(await self._http.get(path, params=query), shape, CHANNEL)

    async def _post(
        self, shape: type[Answer], path: str, body: Any, query: dict[str, Any] | None = None
    ) -> Answer:
        response = await self._http.post(path, json=body, params=query, extensions=REPEATABLE)
        return read_answer(response, shape, CHANNEL)

    async def _done(self, path: str, body: Any, query: dict[str, Any] | None = None) -> None:
        await self._post(Done, path, body, query)


class Signed(Layer):
    """Puts the token and the profile in, and what else of the query must not be in httpx's log lines."""

    def __init__(self, inner: httpx.AsyncBaseTransport, settings: WhatsAppSettings) -> None:
        super().__init__(inner)
        self._token = settings.token
        self._profile_id = settings.profile_id

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        query = {"profile_id": self._profile_id, **request.extensions.get("hidden", {})}
        signed = httpx.Request(
            request.method,
            request.url.copy_merge_params(query),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        signed.headers["Authorization"] = self._token.get_secret_value()
        return await self._inner.handle_async_request(signed)


def recipient(chat_id: str) -> str:
    """A chat id as Wappi takes it (§2.1). NotFound for what can be none."""
    known = address(chat_id)
    if not _CHAT.fullmatch(chat_id) or _TRUNK_PREFIX.fullmatch(known):
        raise NotFound("There is no chat with this id.", channel=CHANNEL)
    return known


def digits_of(phone: str) -> str:
    """A phone as Wappi takes it: 8 900 ... of Russia becomes 7 900 ... (§2.1). Rejected when it is none."""
    digits = phone.translate(_PHONE_SIGNS)
    if _TRUNK_PREFIX.fullmatch(digits) or (len(digits) == 11 and digits[0] == "8" and "+" not in phone):
        digits = f"7{digits[1:]}"
    if not re.fullmatch(r"[0-9]{7,15}", digits):
        raise Rejected("This is not a phone number with its country's code.", channel=CHANNEL)
    return digits


def page_of(limit: int, cursor: str) -> tuple[int, int]:
    """Limit and offset; the largest page is not documented (§3.4). The cursor is the offset."""
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 7):
        raise BadCursor(channel=CHANNEL)
    return min(max(limit, 1), LARGEST_PAGE), int(cursor or 0)


def next_cursor(offset: int, rows: int, limit: int, total: float | None) -> str:
    """The next page's cursor; without a total a full page stands in for it."""
    more = offset + rows < total if total is not None else rows >= limit
    return str(offset + rows) if more and rows else ""


def phrase_of(settings: WhatsAppSettings) -> str:
    """The `auth` phrase of our webhook: another secret than the path's, which proxies write into logs."""
    secret = settings.webhook_secret.get_secret_value()
    return hashlib.sha256(f"wappi auth header:{secret}".encode()).hexdigest()[:40]


def describe(response: httpx.Response) -> Complaint:
    """What an answer complains of (§7): a 200 whose body is not `done` is a refusal too."""
    body = _explained(response)
    if body is None or (response.is_success and body.status in {None, "done", "success"}):
        return Complaint(kind=_by_status(response.status_code))
    words = body.detail or ""
    refused = response.is_success or response.status_code in {400, 404}
    said = next((kind for text, kind in _MEANINGS if text in words.lower()), None) if refused else None
    return Complaint(words, 400 if response.is_success else 0, kind=said or _by_status(response.status_code))


def _by_status(status: int) -> type[ChannelError] | None:
    """A foreign profile or token (§7), and a method that there is not."""
    return {_FORBIDDEN: AuthFailed, _WRONG_VERB: ContractBroken}.get(status)


def _explained(response: httpx.Response) -> ErrorAnswer | None:
    is_html = "html" in response.headers.get("content-type", "")
    if is_html or (response.is_success and len(response.content) > _LARGEST_ERROR):
        return None
    try:
        return TypeAdapter(ErrorAnswer).validate_json(response.content)
    except ValidationError:
        return None


def _text(written: str) -> str:
    return without_surrogates(written)
