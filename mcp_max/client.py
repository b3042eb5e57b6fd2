"""MAX's bot API, one method per endpoint under MAX's own names. Facts: vendor contract §1 to §5.

Every method raises ChannelErrors only (core/http.py); methods that are no sends are marked REPEATABLE.
"""

import re
from typing import Any, Literal, TypeVar
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
    RateLimited,
    Rejected,
    VendorDown,
)
from core.http import REPEATABLE, WITHOUT_TOKEN, Complaint, Timing, read_answer, vendor_client
from core.jsontext import without_surrogates
from core.transports import Layer
from core.vendor_json import storable
from core.vendor_policy import vendor_policy
from mcp_max.schemas import (
    Chat,
    Done,
    ErrorAnswer,
    Message,
    Messages,
    Sent,
    Subscriptions,
    UploadAddress,
    Uploaded,
    User,
    Video,
)
from mcp_max.settings import MaxSettings

CHANNEL = "max"
#: §1: sends into one chat, a second.
SENDS_PER_SECOND = 2.0
#: A large file over a slow line.
UPLOAD_SECONDS = 120.0
#: How long a fresh upload may be in process before a send gives up (§4: tens of seconds for big videos).
READY_SECONDS = 30.0
LONGEST_PAUSE = 4.0
_LARGEST_ERROR = 4096
_CHAT = re.compile(r"(user:)?(-?[1-9][0-9]{0,18})", re.ASCII)
_MESSAGE = re.compile(r"(mid\.)?[A-Za-z0-9_-]{1,500}")

UploadKind = Literal["image", "video", "audio", "file"]
Answer = TypeVar("Answer")


class NotReady(Rejected):
    """MAX still processes a file of this message; the same send works later (§4)."""


#: §1, the codes that mean more than their HTTP status. A 5xx is never read: nobody knows what was done.
_CODES: dict[str, type[ChannelError]] = {
    "verify.token": AuthFailed,
    "attachment.not.ready": NotReady,
    "proto.payload": Rejected,
    "chat.denied": Forbidden,
    "access.denied": Forbidden,
    "dialog.not.found": PeerUnreachable,
    "chat.not.found": PeerUnreachable,
    "not.found": NotFound,
    "method.not.allowed": ContractBroken,
    "too.many.requests": RateLimited,
}
#: Words inside `message` that tell more than the code they come with.
_WORDS: tuple[tuple[str, type[ChannelError]], ...] = (
    ("error.dialog.suspended", PeerUnreachable),
    ("error.dialog.notfound", PeerUnreachable),
    ("dialog.not.found", PeerUnreachable),
    ("Invalid chatId: 0", ContractBroken),
    (".not.processed", NotReady),
)


class RawToken(Layer):
    """Puts the bare token in (§1: no `Bearer`), except where the request says that it carries none."""

    def __init__(self, inner: httpx.AsyncBaseTransport, token: str) -> None:
        super().__init__(inner)
        self._token = token

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.extensions.get("bearer") is not False:
            request.headers["Authorization"] = self._token
        return await self._inner.handle_async_request(request)


class MaxClient:
    """One bot; constructing it connects to nothing."""

    def __init__(
        self,
        settings: MaxSettings,
        *,
        timing: Timing | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._timing = timing or Timing()
        self.known_bot_id = settings.bot_id
        token = settings.token.get_secret_value()
        self._http = vendor_client(
            settings.base_url,
            vendor_policy(CHANNEL, settings, describe=describe, apart={"chat": (SENDS_PER_SECOND, 1)}),
            auth_layer=lambda inner: RawToken(inner, token),
            timing=self._timing,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def bot_id(self) -> int:
        """The bot's user_id: from the settings, or asked once."""
        if self.known_bot_id is None:
            self.known_bot_id = (await self.get_my_info()).user_id
        return self.known_bot_id

    async def get_my_info(self) -> User:
        """GET /me: who am I."""
        me = await self._get(User, "/me")
        self.known_bot_id = self.known_bot_id or me.user_id
        return me

    async def get_chat(self, chat_id: str) -> Chat:
        """GET one chat (§2); in a dialog with the customer's card."""
        return await self._get(Chat, f"/chats/{chat_number(chat_id)}")

    async def send_action(self, chat_id: str, action: str) -> None:
        """POST an action such as typing_on (§2): shown for some seconds."""
        await self._done("POST", f"/chats/{chat_number(chat_id)}/actions", json={"action": action})

    async def get_messages(self, chat_id: str, *, count: int, newest: int = 0) -> list[Any]:
        """GET messages (§3.3), newest first. `newest`: no later than that, ms.

        The docs call `from` the newer edge; who reads the answer must not rely on it (§12).
        """
        query = {"chat_id": chat_number(chat_id), "count": count} | ({"from": newest} if newest else {})
        return (await self._get(Messages, "/messages", query)).messages

    async def get_message(self, message_id: str) -> Message:
        """GET one message (§3.3)."""
        return await self._get(Message, f"/messages/{_message(message_id)}")

    async def send_message(self, chat_id: str, body: dict[str, Any]) -> str:
        """POST a message (§3.2): the id of the new one. There is no key against doubles.

        Half an emoji in it becomes a replacement sign: it cannot be encoded.
        """
        marks = {"effect": "send", "counted": {"chat": chat_id}}
        answer = await self._http.post(
            "/messages", params=addressee(chat_id), json=storable(body), extensions=marks
        )
        return read_answer(answer, Sent, CHANNEL).message.body.mid

    async def send_when_ready(self, chat_id: str, body: dict[str, Any]) -> str:
        """The same for a message with a fresh upload: asked again while MAX refuses it as not ready (§4).

        Raises VendorDown after READY_SECONDS: nothing was sent.
        """
        give_up_at, pause = self._timing.clock() + READY_SECONDS, 1.0
        while True:
            try:
                return await self.send_message(chat_id, body)
            except NotReady as error:
                if self._timing.clock() + pause > give_up_at:
                    said = f"MAX has not processed the file within {READY_SECONDS:.0f} s."
                    raise VendorDown(said, channel=CHANNEL) from error
            await self._timing.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def edit_message(self, message_id: str, body: dict[str, Any]) -> None:
        """PUT (§3.3): what is left out stays."""
        await self._done("PUT", "/messages", {"message_id": _message(message_id)}, storable(body))

    async def delete_message(self, message_id: str) -> None:
        """DELETE (§3.3)."""
        await self._done("DELETE", "/messages", {"message_id": _message(message_id)})

    async def answer_on_callback(self, callback_id: str, notification: str) -> None:
        """POST /answers (§3.4): a short pop-up for who pressed."""
        await self._done("POST", "/answers", {"callback_id": callback_id}, {"notification": notification})

    async def get_upload_url(self, kind: UploadKind) -> UploadAddress:
        """POST /uploads (§4, step 1): an address for one file."""
        answer = await self._http.post("/uploads", params={"type": kind}, extensions=REPEATABLE)
        return read_answer(answer, UploadAddress, CHANNEL)

    async def upload(self, kind: UploadKind, file: MediaFile) -> dict[str, Any]:
        """Both steps (§4): the payload of an attachment. Other hosts take the bytes, without our token."""
        address = await self.get_upload_url(kind)
        answer = await self._put(address.url, file)
        if kind in {"video", "audio"}:
            return _payload(address.token)
        uploaded = read_answer(answer, Uploaded, CHANNEL)
        return {"photos": uploaded.photos} if uploaded.photos else _payload(uploaded.token)

    async def get_video_attachment_details(self, token: str) -> Video:
        """GET a video's links (§2)."""
        if token in {"", ".", ".."}:
            raise NotFound("There is no video with this id.", channel=CHANNEL)
        return await self._get(Video, f"/videos/{quote(without_surrogates(token), safe='')}")

    async def get_subscriptions(self) -> list[str]:
        """GET /subscriptions (§5.1): addresses; the secrets are not shown."""
        return [one.url for one in (await self._get(Subscriptions, "/subscriptions")).subscriptions]

    async def subscribe(self, url: str, secret: str) -> None:
        """POST /subscriptions (§5.1): all update types; the same address again takes the new secret."""
        await self._done("POST", "/subscriptions", json={"url": url, "secret": secret})

    async def unsubscribe(self, url: str) -> None:
        """DELETE /subscriptions (§5.1): exactly the registered address."""
        await self._done("DELETE", "/subscriptions", {"url": url})

    async def _get(self, shape: type[Answer], path: str, query: dict[str, Any] | None = None) -> Answer:
        return read_answer(await self._http.get(path, params=query), shape, CHANNEL)

    async def _done(
        self, method: str, path: str, query: dict[str, str] | None = None, json: Any = None
    ) -> None:
        answer = await self._http.request(method, path, params=query, json=json, extensions=REPEATABLE)
        read_answer(answer, Done, CHANNEL)

    async def _put(self, url: str, file: MediaFile) -> httpx.Response:
        """A refusal of the other host is about the file: it knows neither our token nor our chats."""
        files = {"data": (without_surrogates(file.name), file.content, file.media_type)}
        marks = WITHOUT_TOKEN | {"seconds": max(UPLOAD_SECONDS, self._settings.timeout_seconds)}
        try:
            return await self._http.post(url, files=files, extensions=marks)
        except (AuthFailed, Forbidden, NotFound) as error:
            raise Rejected(error.detail, channel=CHANNEL) from error
        except httpx.InvalidURL as error:
            raise VendorDown("MAX gave no address for the upload.", channel=CHANNEL) from error


def describe(response: httpx.Response) -> Complaint:
    """What an answer complains of (§1): a refusal, or `success: false` in a 200."""
    if response.is_success and len(response.content) > _LARGEST_ERROR:
        return Complaint()
    try:
        body = ErrorAnswer.model_validate_json(response.content)
    except ValidationError:
        body = ErrorAnswer()
    status = response.status_code
    if status >= 500:
        return Complaint(body.words)
    if response.is_success:
        refused = body.success is False
        return Complaint(body.words, kind=_meaning(body) or Rejected) if refused else Complaint()
    if status in {401, 429}:
        return Complaint(body.words)
    return Complaint(body.words, kind=ContractBroken if status == 405 else _meaning(body))


def _meaning(body: ErrorAnswer) -> type[ChannelError] | None:
    told = next((kind for words, kind in _WORDS if words in body.words), None)
    return told or _CODES.get(body.code or "")


def addressee(chat_id: str) -> dict[str, str]:
    """The query that names a chat. Raises NotFound for what can be no chat.

    `user:5` is the dialog with user 5, where MAX did not tell the chat's own number (§10.2).
    """
    match = _CHAT.fullmatch(chat_id)
    number = int(match[2]) if match else 0
    if not match or not -(2**63) <= number < 2**63 or (match[1] and number < 0):
        raise NotFound("There is no chat with this id.", channel=CHANNEL)
    return {"user_id" if match[1] else "chat_id": match[2]}


def chat_number(chat_id: str) -> str:
    """The chat's own number, for what MAX offers by that alone. Raises NotFound."""
    number = addressee(chat_id).get("chat_id")
    if number is None:
        raise NotFound(
            "MAX has not told the number of this dialog; it can only be written to.", channel=CHANNEL
        )
    return number


def _message(message_id: str) -> str:
    if not _MESSAGE.fullmatch(message_id):
        raise NotFound("There is no message with this id.", channel=CHANNEL)
    return message_id


def _payload(token: str | None) -> dict[str, Any]:
    if not token:
        raise Rejected("MAX took the file but gave no token for it.", channel=CHANNEL)
    return {"token": token}
