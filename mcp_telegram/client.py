"""Telegram's Bot API, one method per endpoint under Telegram's own names. Facts: vendor contract §1 to §9.

Every method raises ChannelErrors only (core/http.py); methods that are no sends are marked REPEATABLE.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from core.channel import MediaFile
from core.errors import (
    AuthFailed,
    ChannelError,
    ContractBroken,
    Forbidden,
    NotFound,
    PeerUnreachable,
    Rejected,
    VendorDown,
    WindowClosed,
)
from core.http import REPEATABLE, Complaint, Timing, read_answer, vendor_client
from core.jsontext import without_surrogates
from core.transports import Layer
from core.vendor_policy import vendor_policy
from mcp_telegram.schemas import Answer, Chat, Place, Refusal, Sent, StoredFile, User, WebhookInfo
from mcp_telegram.settings import TelegramSettings

CHANNEL = "telegram"
#: What our addresses have in the token's place until the last moment.
HIDDEN = "bot***"
#: 50 MB over a slow line.
UPLOAD_SECONDS = 120.0
DOWNLOAD_SECONDS = 60.0
#: §8: sends of one chat (short bursts pass), and of one group beside that.
CHAT_RATE = (1.0, 3)
GROUP_RATE = (20 / 60, 20)

Result = TypeVar("Result")


class NotModified(Rejected):
    """The message says this already."""


class ReplyGone(Rejected):
    """The message to be answered is gone."""


class PressTooOld(Rejected):
    """The button press can be answered no more."""


class NoSuchPath(NotFound):
    """Nothing is at this address: a file's link that expired, or a token that old servers do not know."""


class GroupMoved(NotFound):
    """The group became a supergroup."""

    @property
    def place(self) -> Place:
        """Where it is now: the last number of the text, which `describe` put there."""
        return Place(int(re.findall(r"-?[0-9]+", self.detail)[-1]))


#: Status, a part of the description in lower case, meaning: the first one that fits (§7). Every other 400 is
#: about the content (Rejected), 401, 429 and 5xx mean what they say.
MEANINGS: tuple[tuple[int, str, type[ChannelError]], ...] = (
    (400, "message is not modified", NotModified),
    (400, "message to be replied not found", ReplyGone),
    (400, "query is too old", PressTooOld),
    (400, "can't parse", ContractBroken),
    (400, "unsupported parse_mode", ContractBroken),
    (400, "not enough rights", Forbidden),
    (400, "have no write access", Forbidden),
    (400, "business_connection_invalid", Forbidden),
    (400, "business_peer_invalid", PeerUnreachable),
    (400, "business_peer_usage_missing", WindowClosed),
    (400, "wrong file_id", NotFound),
    (400, "not found", NotFound),
    (403, "blocked by the user", PeerUnreachable),
    (403, "user is deactivated", PeerUnreachable),
    (403, "can't initiate conversation", PeerUnreachable),
    (403, "bot was kicked", PeerUnreachable),
    (403, "bot is not a member", PeerUnreachable),
    (403, "", Forbidden),
    (404, "method not found", ContractBroken),
    (404, "", NoSuchPath),
    (409, "terminated by other setwebhook", VendorDown),
    (409, "", ContractBroken),
)


class TelegramClient:
    """One bot; constructing it connects to nothing."""

    def __init__(
        self,
        settings: TelegramSettings,
        *,
        timing: Timing | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timing = timing or Timing()
        self._secret = settings.webhook_secret
        self._patience = settings.timeout_seconds
        token = settings.token.get_secret_value()
        self._http = vendor_client(
            settings.base_url,
            vendor_policy(
                CHANNEL,
                settings,
                describe=describe,
                apart={"chat": CHAT_RATE, "group": GROUP_RATE},
                secrets=(settings.token.get_secret_value().partition(":")[2],),
            ),
            auth_layer=lambda inner: TokenInPath(inner, token),
            timing=self._timing,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def now(self) -> float:
        """Unix time."""
        return self._timing.wall()

    async def get_me(self) -> User:
        """getMe (§2.6): who am I."""
        return await self._call(Answer[User], "getMe")

    async def get_chat(self, chat: int) -> Chat:
        """getChat (§4)."""
        return await self._call(Answer[Chat], "getChat", {"chat_id": chat})

    async def get_file(self, file_id: str) -> StoredFile:
        """getFile (§6): a path that holds for an hour."""
        return await self._call(Answer[StoredFile], "getFile", {"file_id": file_id})

    async def download(self, file_path: str) -> bytes:
        """The bytes behind a path of get_file (§6)."""
        marks = {"seconds": max(DOWNLOAD_SECONDS, self._patience)}
        path = "/".join(quote(part, safe="") for part in file_path.split("/") if part not in {"", ".", ".."})
        return (await self._http.get(f"/file/{HIDDEN}/{path}", extensions=marks)).content

    async def send_message(
        self, place: Place, text: str, *, reply_to: int | None = None, markup: dict[str, Any] | None = None
    ) -> Sent:
        """sendMessage (§5): plain text; one whose target is gone is sent without it."""
        body: dict[str, Any] = {"text": text}
        if reply_to is not None:
            body["reply_parameters"] = {"message_id": reply_to, "allow_sending_without_reply": True}
        return await self._send("sendMessage", place, body | ({"reply_markup": markup} if markup else {}))

    async def send_photo(self, place: Place, file: MediaFile, caption: str) -> Sent:
        """sendPhoto (§5), uploaded: Telegram cannot fetch from every host (§12)."""
        return await self._upload("photo", "sendPhoto", place, file, caption)

    async def send_voice(self, place: Place, file: MediaFile, caption: str) -> Sent:
        """sendVoice (§5)."""
        return await self._upload("voice", "sendVoice", place, file, caption)

    async def send_video(self, place: Place, file: MediaFile, caption: str) -> Sent:
        """sendVideo (§5)."""
        return await self._upload("video", "sendVideo", place, file, caption)

    async def send_document(self, place: Place, file: MediaFile, caption: str) -> Sent:
        """sendDocument (§5)."""
        return await self._upload("document", "sendDocument", place, file, caption)

    async def send_chat_action(self, place: Place, action: str) -> None:
        """sendChatAction (§5): for five seconds."""
        await self._change("sendChatAction", {**_to(place), "action": action})

    async def edit_message_text(self, place: Place, number: int, text: str) -> None:
        """editMessageText (§5). Raises NotModified for the same words."""
        await self._change("editMessageText", {**_to(place), "message_id": number, "text": text})

    async def delete_message(self, chat: int, number: int) -> None:
        """deleteMessage (§5): in the bot's own chats, up to 48 hours."""
        await self._change("deleteMessage", {"chat_id": chat, "message_id": number})

    async def delete_business_messages(self, connection: str, numbers: list[int]) -> None:
        """deleteBusinessMessages: deleteMessage knows no connections and would hit the bot's own chat."""
        body = {"business_connection_id": connection, "message_ids": numbers}
        await self._change("deleteBusinessMessages", body)

    async def set_message_reaction(self, chat: int, number: int, emoji: str) -> None:
        """setMessageReaction (§5); "" takes ours away."""
        reaction = [{"type": "emoji", "emoji": emoji}] if emoji else []
        body = {"chat_id": chat, "message_id": number, "reaction": reaction}
        await self._change("setMessageReaction", body)

    async def read_business_message(self, place: Place, number: int) -> None:
        """readBusinessMessage (§5): needs the right, and a chat active within a day."""
        await self._change("readBusinessMessage", {**_to(place), "message_id": number})

    async def answer_callback_query(self, query_id: str) -> None:
        """answerCallbackQuery (§4). Raises PressTooOld."""
        await self._change("answerCallbackQuery", {"callback_query_id": query_id})

    async def set_webhook(self, url: str, allowed_updates: tuple[str, ...]) -> None:
        """setWebhook (§2.1): the kinds are always named, for without them the former ones stay."""
        secret = self._secret.get_secret_value()
        body = {"url": url, "secret_token": secret, "allowed_updates": list(allowed_updates)}
        await self._change("setWebhook", body)

    async def delete_webhook(self) -> None:
        """deleteWebhook (§2.4); what waits is kept."""
        await self._change("deleteWebhook", {"drop_pending_updates": False})

    async def get_webhook_info(self) -> WebhookInfo:
        """getWebhookInfo (§2.4)."""
        return await self._call(Answer[WebhookInfo], "getWebhookInfo")

    async def _send(self, method: str, place: Place, body: dict[str, Any], **more: Any) -> Sent:
        """A send; to a group that moved, once more to where it is now (§7)."""
        try:
            return await self._sent(method, place, body, **more)
        except GroupMoved as moved:
            return await self._sent(method, moved.place, body, **more)

    async def _sent(
        self, method: str, place: Place, body: dict[str, Any], *, files: Any = None, seconds: float = 0
    ) -> Sent:
        counted = {"chat": place.chat_id} | ({"group": place.chat_id} if place.chat < 0 else {})
        marks: dict[str, Any] = {"effect": "send", "counted": counted}
        marks |= {"seconds": seconds} if seconds else {}
        return await self._call(Answer[Sent], method, _to(place) | body, marks=marks, files=files)

    async def _upload(self, part: str, method: str, place: Place, file: MediaFile, caption: str) -> Sent:
        name = without_surrogates(file.name) or part
        body = {"caption": caption} if caption else {}
        seconds = max(UPLOAD_SECONDS, self._patience)
        files = {part: (name, file.content, file.media_type)}
        return await self._send(method, place, body, files=files, seconds=seconds)

    async def _change(self, method: str, body: dict[str, Any]) -> None:
        """What may be repeated; the results are true, or the message as we know it."""
        await self._call(Answer[Any], method, body)

    async def _call(
        self,
        shape: type[Answer[Result]],
        method: str,
        body: dict[str, Any] | None = None,
        *,
        marks: Mapping[str, Any] = REPEATABLE,
        files: Any = None,
    ) -> Result:
        given = body or {}
        content: dict[str, Any] = {"data": _form(given), "files": files} if files else _json(given)
        try:
            response = await self._http.post(f"/{HIDDEN}/{method}", extensions=dict(marks), **content)
        except NoSuchPath as error:
            raise AuthFailed(f"{error.detail} No bot has this token.", channel=CHANNEL) from error
        return read_answer(response, shape, CHANNEL).result


class TokenInPath(Layer):
    """Puts the token into the address (§1) below everything that writes addresses into a log."""

    def __init__(self, inner: httpx.AsyncBaseTransport, token: str) -> None:
        super().__init__(inner)
        self._token = token

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.replace(f"/{HIDDEN}/".encode(), f"/bot{self._token}/".encode(), 1)
        named = httpx.Request(
            request.method,
            request.url.copy_with(raw_path=path),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self._inner.handle_async_request(named)


def describe(response: httpx.Response) -> Complaint:
    """What a refusal says (§1, §7). An answer of 2xx is none, whatever a customer's file may look like."""
    if response.is_success:
        return Complaint()
    refusal = _refusal(response)
    words, parameters = refusal.description or "", refusal.parameters
    if parameters and parameters.migrate_to_chat_id:
        moved = f"the group became a supergroup, it is now {parameters.migrate_to_chat_id}"
        return Complaint(moved, kind=GroupMoved)
    return Complaint(
        words,
        kind=_meaning(response.status_code, words.lower()),
        retry_after=parameters.retry_after if parameters else None,
    )


def _refusal(response: httpx.Response) -> Refusal:
    try:
        return Refusal.model_validate_json(response.content)
    except ValidationError:
        return Refusal()


def _meaning(status: int, words: str) -> type[ChannelError] | None:
    return next((kind for code, part, kind in MEANINGS if code == status and part in words), None)


def _to(place: Place) -> dict[str, Any]:
    return {"chat_id": place.chat} | (
        {"business_connection_id": place.connection} if place.connection else {}
    )


def _json(body: dict[str, Any]) -> dict[str, Any]:
    """Half an emoji cannot be sent: it becomes U+FFFD."""
    text = without_surrogates(json.dumps(body, ensure_ascii=False))
    return {"content": text.encode(), "headers": {"Content-Type": "application/json"}}


def _form(body: dict[str, Any]) -> dict[str, str]:
    """§1: beside a file, everything is text and objects are JSON."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in body.items()}
    return {key: without_surrogates(text) for key, text in texts.items()}
