"""Avito's API, one method per endpoint under Avito's own names. Facts: vendor contract §2 and §3.

Every method raises ChannelErrors only (core/http.py); methods that are no sends are marked REPEATABLE.
"""

from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from core.channel import MediaFile
from core.errors import AuthFailed, Forbidden, NotFound, Rejected
from core.http import (
    REPEATABLE,
    WITHOUT_TOKEN,
    Complaint,
    MemoryTokenStore,
    Timing,
    Token,
    Tokens,
    TokenStore,
    read_answer,
    vendor_client,
)
from core.jsontext import without_surrogates
from core.vendor_policy import vendor_policy
from mcp_avito.schemas import (
    Account,
    AdStatus,
    AnyMessages,
    Chat,
    Chats,
    Done,
    ErrorAnswer,
    Messages,
    OwnAds,
    Sent,
    Subscription,
    Subscriptions,
    TokenAnswer,
    VoiceLinks,
)
from mcp_avito.settings import AvitoSettings

CHANNEL = "avito"
#: Without it, chats between users are not returned (§3.2).
CHAT_TYPES = "u2i,u2u"
#: A token is renewed this early, or a tenth of its life when that is shorter.
MARGIN_SECONDS = 60.0
#: 24 MB over a slow line.
UPLOAD_SECONDS = 40.0
_LARGEST_ERROR = 4096
_IMAGES = TypeAdapter(dict[str, Any])
_MESSAGES: TypeAdapter[Messages] = TypeAdapter(AnyMessages)

Answer = TypeVar("Answer")


class AvitoClient:
    """One account of Avito; constructing it connects to nothing."""

    def __init__(
        self,
        settings: AvitoSettings,
        *,
        store: TokenStore | None = None,
        timing: Timing | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._timing = timing or Timing()
        self.known_user_id = settings.user_id
        self.tokens = Tokens(self.token, store or MemoryTokenStore(), self._timing.wall)
        self._http = vendor_client(
            settings.base_url,
            vendor_policy(CHANNEL, settings, describe=describe),
            auth_layer=self.tokens.layer,
            timing=self._timing,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def token(self) -> Token:
        """POST /token (§2.1). Raises AuthFailed for wrong keys, in whatever status Avito says so."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
        }
        try:
            response = await self._http.post("/token", data=form, extensions=WITHOUT_TOKEN)
        except (Rejected, Forbidden, NotFound) as error:
            raise AuthFailed(error.detail, channel=CHANNEL) from error
        answer = read_answer(response, TokenAnswer, CHANNEL)
        margin = min(MARGIN_SECONDS, answer.expires_in / 10)
        return Token(answer.access_token, self._timing.wall() + answer.expires_in - margin)

    async def get_user_info_self(self) -> Account:
        """GET /core/v1/accounts/self (§3.1): who am I."""
        return await self._get(Account, "/core/v1/accounts/self")

    async def get_chats(self, *, limit: int, offset: int, unread_only: bool = False) -> Chats:
        """GET v2 chats (§3.2): limit 1..100, offset 0..1000."""
        query = {"limit": limit, "offset": offset, "chat_types": CHAT_TYPES}
        if unread_only:
            query["unread_only"] = "true"
        return await self._get(Chats, f"{await self._account('v2')}/chats", query)

    async def get_chat_by_id(self, chat_id: str) -> Chat:
        """GET v2 one chat (§3.3): users, ad, last message."""
        return await self._get(Chat, await self._chat("v2", chat_id))

    async def get_messages(self, chat_id: str, *, limit: int, offset: int) -> Messages:
        """GET v3 messages/ (§3.4), newest first; does not mark the chat as read."""
        path = f"{await self._chat('v3', chat_id)}/messages/"
        return await self._get(_MESSAGES, path, {"limit": limit, "offset": offset})

    async def post_send_message(self, chat_id: str, text: str) -> Sent:
        """POST v1 messages (§3.5): a text of up to 1,000 characters."""
        body = {"type": "text", "message": {"text": without_surrogates(text)}}
        return await self._post(Sent, f"{await self._chat('v1', chat_id)}/messages", body, send=True)

    async def upload_images(self, image: MediaFile) -> str:
        """POST v1 uploadImages (§3.6): the id of the stored picture, which nobody sees yet."""
        path = f"{await self._account('v1')}/uploadImages"
        files = {"uploadfile[]": (image.name, image.content, image.media_type)}
        marks = REPEATABLE | {"seconds": max(UPLOAD_SECONDS, self._settings.timeout_seconds)}
        response = await self._http.post(path, files=files, extensions=marks)
        stored = read_answer(response, _IMAGES, CHANNEL)
        if not stored:
            raise Rejected("Avito took the picture but gave no id for it.", channel=CHANNEL)
        return next(iter(stored))

    async def post_send_image_message(self, chat_id: str, image_id: str) -> Sent:
        """POST v1 messages/image (§3.6): send an uploaded picture; there are no captions."""
        path = f"{await self._chat('v1', chat_id)}/messages/image"
        return await self._post(Sent, path, {"image_id": image_id}, send=True)

    async def delete_message(self, chat_id: str, message_id: str) -> None:
        """POST (not DELETE) v1 one message (§3.7): own messages, within an hour of sending."""
        path = f"{await self._chat('v1', chat_id)}/messages/{_segment(message_id, 'message')}"
        await self._http.post(path, extensions=REPEATABLE)

    async def chat_read(self, chat_id: str) -> None:
        """POST v1 read (§3.7): the whole chat."""
        await self._done(f"{await self._chat('v1', chat_id)}/read", {})

    async def get_voice_files(self, voice_ids: list[str]) -> dict[str, Any]:
        """GET v1 getVoiceFiles (§3.7): links by voice id, good for an hour; unknown ids are absent."""
        path = f"{await self._account('v1')}/getVoiceFiles"
        answer = await self._get(VoiceLinks, path, {"voice_ids": ",".join(voice_ids)})
        return answer.voices_urls or {}

    async def post_blacklist(self, users: list[dict[str, Any]]) -> None:
        """POST v2 blacklist (§3.7); the answer is empty."""
        path = f"{await self._account('v2')}/blacklist"
        await self._http.post(path, json={"users": users}, extensions=REPEATABLE)

    async def post_webhook(self, url: str) -> None:
        """POST /messenger/v3/webhook (§3.8): adds a subscription; `url` is all it takes."""
        await self._done("/messenger/v3/webhook", {"url": url})

    async def get_subscriptions(self) -> list[Subscription]:
        """POST /messenger/v1/subscriptions (§3.8): a list, although it is a POST."""
        return (await self._post(Subscriptions, "/messenger/v1/subscriptions", {})).subscriptions

    async def post_webhook_unsubscribe(self, url: str) -> None:
        """POST /messenger/v1/webhook/unsubscribe (§3.8): exactly the registered address."""
        await self._done("/messenger/v1/webhook/unsubscribe", {"url": url})

    async def get_item_info(self, item_id: int) -> AdStatus:
        """GET one ad (§3.9): status and address, no title and no price; 500 a minute."""
        return await self._get(AdStatus, f"/core/v1/accounts/{await self.user_id()}/items/{item_id}/")

    async def get_items_info(self, *, page: int = 1, per_page: int = 25) -> OwnAds:
        """GET own ads (§3.9) with title and price; 25 a minute, per_page under 100."""
        return await self._get(OwnAds, "/core/v1/items", {"page": page, "per_page": per_page})

    async def user_id(self) -> int:
        """The account's id: from the settings, or asked once."""
        if self.known_user_id is None:
            self.known_user_id = (await self.get_user_info_self()).id
        return self.known_user_id

    async def _account(self, version: str) -> str:
        return f"/messenger/{version}/accounts/{await self.user_id()}"

    async def _chat(self, version: str, chat_id: str) -> str:
        return f"{await self._account(version)}/chats/{_segment(chat_id, 'chat')}"

    async def _get(
        self, shape: type[Answer] | TypeAdapter[Answer], path: str, query: dict[str, Any] | None = None
    ) -> Answer:
        return read_answer(await self._http.get(path, params=query), shape, CHANNEL)

    async def _post(
        self, shape: type[Answer], path: str, body: dict[str, Any], *, send: bool = False
    ) -> Answer:
        marks = {"effect": "send"} if send else REPEATABLE
        return read_answer(await self._http.post(path, json=body, extensions=marks), shape, CHANNEL)

    async def _done(self, path: str, body: dict[str, Any]) -> None:
        if not (await self._post(Done, path, body)).ok:
            raise Rejected("Avito answered that it was not done.", channel=CHANNEL)


def describe(response: httpx.Response) -> Complaint:
    """What an answer complains of, in any shape of §7, and the status that it means (§2.3)."""
    body = _explained(response)
    if body is None:
        return Complaint()
    words, lower = body.words, body.words.lower()
    if body.result and "token" in lower:
        return Complaint(words, 403)
    if response.status_code == 403 and "подписк" in lower:
        return Complaint(words, 402)
    return Complaint(words, _hidden_status(body) if response.is_success else 0)


def _explained(response: httpx.Response) -> ErrorAnswer | None:
    is_html = "html" in response.headers.get("content-type", "")
    if is_html or (response.is_success and len(response.content) > _LARGEST_ERROR):
        return None
    try:
        return ErrorAnswer.model_validate_json(response.content)
    except ValidationError:
        return None


def _hidden_status(body: ErrorAnswer) -> int:
    """An error inside a 200: `/token` names it, others give the code."""
    if isinstance(body.error, str):
        return 401
    code = body.error.code if body.error else None
    return code if code and 400 <= code < 600 else 0


def _segment(written: str, noun: str) -> str:
    """An opaque id as one path segment; dots alone would climb the path."""
    if written in {"", ".", ".."} or len(written) > 512:
        raise NotFound(f"There is no {noun} with this id.", channel=CHANNEL)
    return quote(without_surrogates(written), safe="")
