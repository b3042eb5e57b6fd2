"""VK's API, one method per endpoint under VK's own names. Facts: vendor contract §1 to §3.

Every method raises ChannelErrors only (core/http.py); methods that are no sends are marked REPEATABLE. The
key goes in the header of each call, never into an address, and not at all to the upload servers.
"""

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from core.channel import MediaFile
from core.errors import (
    AuthFailed,
    BadCursor,
    ChannelError,
    ContractBroken,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    PeerUnreachable,
    RateLimited,
    Rejected,
    VendorDown,
    WindowClosed,
)
from core.http import REPEATABLE, Complaint, Timing, read_answer, vendor_client
from core.jsontext import without_surrogates, write_json
from core.vendor_policy import vendor_policy
from mcp_vk.schemas import (
    Allowed,
    Attachment,
    CallbackSettings,
    Code,
    Conversation,
    ErrorAnswer,
    Gesture,
    Message,
    Page,
    People,
    Permissions,
    Reply,
    Row,
    SentRow,
    Server,
    ServerId,
    Thing,
    Uploaded,
    UploadServer,
    User,
)
from mcp_vk.settings import IMAGE_TYPES, VkSettings

CHANNEL = "vk"
API_VERSION = "5.199"
#: A large file over a slow line; the whole chain must end within the sender's 60 s.
UPLOAD_SECONDS = 40.0
#: Ours: VK names no time. A flood is over after minutes, a quota after hours.
FLOOD_SECONDS, QUOTA_SECONDS = 300.0, 3600.0
LARGEST_RANDOM_ID = 2**31 - 1
LARGEST_PAGE = 200
_NUMBER = re.compile(r"-?[1-9][0-9]{0,17}")
#: Buttons that stand one under another before they must share rows (§5).
_ROWS = 6
_LARGEST_ERROR = 256 * 1024

Answer = TypeVar("Answer")
Params = dict[str, str | int]


class CannotQuote(Rejected):
    """VK will not show that message beside another one."""


class UploadStale(Rejected):
    """What was uploaded cannot be saved: the upload must begin anew."""


class VkClient:
    """One community; constructing it connects to nothing."""

    def __init__(
        self,
        settings: VkSettings,
        *,
        timing: Timing | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._token = settings.access_token.get_secret_value()
        self.timing = timing or Timing()
        self._http = vendor_client(
            settings.base_url,
            vendor_policy(CHANNEL, settings, describe=describe),
            timing=self.timing,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def messages_send(self, peer_id: int, random_id: int, **content: str) -> SentRow:
        """messages.send (§3.1); in the form for many peers, the only one that tells cmids of group chats."""
        params: Params = {"peer_ids": peer_id, "random_id": random_id, **content}
        rows = await self._call("messages.send", Reply[list[SentRow]], params, send=True)
        return rows[0] if rows else SentRow()

    async def messages_edit(self, peer_id: int, cmid: int, **content: str) -> None:
        """messages.edit (§3.3): attachments and keyboard that are left out are removed."""
        kept: Params = {"keep_forward_messages": 1, "keep_snippets": 1}
        await self._call("messages.edit", Reply[Any], {"peer_id": peer_id, "cmid": cmid, **kept, **content})

    async def messages_delete(self, peer_id: int, cmid: int) -> Any:
        """messages.delete (§3.3) for everybody: rows, or the map of older versions."""
        params: Params = {"peer_id": peer_id, "cmids": cmid, "delete_for_all": 1}
        return await self._call("messages.delete", Reply[Any], params)

    async def messages_mark_as_read(self, peer_id: int) -> None:
        """messages.markAsRead (§3.3): the whole conversation."""
        params: Params = {"peer_id": peer_id, "mark_conversation_as_read": 1}
        await self._call("messages.markAsRead", Reply[Any], params)

    async def messages_set_activity(self, peer_id: int) -> None:
        """messages.setActivity (§3.3): "is typing" for 5 to 10 seconds."""
        await self._call("messages.setActivity", Reply[Any], {"peer_id": peer_id, "type": "typing"})

    async def messages_send_message_event_answer(self, press: Gesture) -> None:
        """messages.sendMessageEventAnswer (§3.3): the pressed button stops waiting, nothing else happens."""
        who: Params = {"peer_id": press.peer_id, "user_id": press.user_id, "event_id": press.event_id or ""}
        await self._call("messages.sendMessageEventAnswer", Reply[Any], who)

    async def messages_get_conversations(self, *, count: int, offset: int) -> Page[Row]:
        """messages.getConversations (§3.2), newest first, with names; count up to 200."""
        params: Params = {"count": count, "offset": offset, "extended": 1}
        return await self._call("messages.getConversations", Reply[Page[Row]], params)

    async def messages_get_conversations_by_id(self, peer_id: int) -> Page[Conversation]:
        """messages.getConversationsById (§3.2): bare conversations, with names."""
        params: Params = {"peer_ids": peer_id, "extended": 1}
        return await self._call("messages.getConversationsById", Reply[Page[Conversation]], params)

    async def messages_get_history(self, peer_id: int, *, count: int, offset: int) -> Page[Message]:
        """messages.getHistory (§3.2), newest first; count up to 200."""
        params: Params = {"peer_id": peer_id, "count": count, "offset": offset, "extended": 1}
        return await self._call("messages.getHistory", Reply[Page[Message]], params)

    async def messages_get_by_id(self, **which: int) -> Message | None:
        """messages.getById (§3.2), by `peer_id` and `cmids` or by `message_ids`: whole, with fresh links."""
        page = await self._call("messages.getById", Reply[Page[Message]], {**which})
        return next(filter(None, page.items), None)

    async def messages_is_messages_from_group_allowed(self, user_id: int) -> bool:
        """messages.isMessagesFromGroupAllowed (§3.2)."""
        params: Params = {**self._group, "user_id": user_id}
        answer = await self._call("messages.isMessagesFromGroupAllowed", Reply[Allowed], params)
        return bool(answer.is_allowed)

    async def users_get(self, user_id: int) -> list[User]:
        """users.get (§3.2); an unknown id simply is missing."""
        params: Params = {"user_ids": user_id, "fields": "photo_100"}
        return await self._call("users.get", Reply[list[User]], params)

    async def groups_get_by_id(self) -> People:
        """groups.getById (§3.2) without parameters: the community of the key."""
        return await self._call("groups.getById", Reply[People], {})

    async def groups_get_token_permissions(self) -> set[str]:
        """groups.getTokenPermissions (§1): what the key may do, by VK's names."""
        return (await self._call("groups.getTokenPermissions", Reply[Permissions], {})).names

    async def photos_get_messages_upload_server(self, peer_id: int) -> str:
        """photos.getMessagesUploadServer (§3.4): where to put a picture."""
        params: Params = {"peer_id": peer_id}
        return (await self._call("photos.getMessagesUploadServer", Reply[UploadServer], params)).upload_url

    async def docs_get_messages_upload_server(self, peer_id: int, kind: str) -> str:
        """docs.getMessagesUploadServer (§3.4): where to put a file; `kind` is doc or audio_message."""
        params: Params = {"peer_id": peer_id, "type": kind}
        return (await self._call("docs.getMessagesUploadServer", Reply[UploadServer], params)).upload_url

    async def upload(self, address: str, field: str, file: MediaFile) -> Uploaded:
        """§3.4, step 2, without the key; an empty answer means that VK does not want the file."""
        marks = REPEATABLE | {"seconds": max(UPLOAD_SECONDS, self._settings.timeout_seconds)}
        files = {field: (without_surrogates(file.name), file.content, file.media_type)}
        try:
            response = await self._http.post(address, files=files, extensions=marks)
        except httpx.InvalidURL as error:
            raise VendorDown("VK gave no usable address for an upload.", channel=CHANNEL) from error
        uploaded = read_answer(response, Uploaded, CHANNEL)
        if uploaded.photo in {"", "[]"} and not uploaded.file:
            raise Rejected("VK took the file and then did not want it.", channel=CHANNEL)
        return uploaded

    async def photos_save_messages_photo(self, uploaded: Uploaded) -> Attachment:
        """photos.saveMessagesPhoto (§3.4, step 3)."""
        form: Params = {"photo": uploaded.photo, "server": uploaded.server, "hash": uploaded.hash}
        photos = await self._call("photos.saveMessagesPhoto", Reply[list[Thing]], form)
        if not photos:
            raise UploadStale("VK saved no picture.", channel=CHANNEL)
        return Attachment.model_construct(type="photo", thing=photos[0])

    async def docs_save(self, file: str, title: str) -> Attachment:
        """docs.save (§3.4, step 3); without peer_id, which does not belong here."""
        return await self._call("docs.save", Reply[Attachment], {"file": file, "title": title})

    async def photo(self, peer_id: int, image: MediaFile) -> str:
        """Upload and save (§3.4); how a send names it. VK goes by the ending of the file's name."""
        if image.media_type not in IMAGE_TYPES:
            raise Rejected(f"VK takes no {image.media_type}, only {', '.join(IMAGE_TYPES)}.", channel=CHANNEL)

        async def attempt() -> Attachment:
            address = await self.photos_get_messages_upload_server(peer_id)
            named = replace(image, name=f"photo.{IMAGE_TYPES[image.media_type]}")
            return await self.photos_save_messages_photo(await self.upload(address, "photo", named))

        return await _begun_anew_once(attempt)

    async def document(self, peer_id: int, file: MediaFile, kind: str = "doc") -> str:
        """Upload and save (§3.4); how a send names it. A voice note is a document of a kind of its own."""

        async def attempt() -> Attachment:
            address = await self.docs_get_messages_upload_server(peer_id, kind)
            return await self.docs_save((await self.upload(address, "file", file)).file, file.name)

        return await _begun_anew_once(attempt)

    async def groups_get_callback_confirmation_code(self) -> str:
        """groups.getCallbackConfirmationCode (§3.5): it changes, so it is asked anew each time."""
        return (await self._call("groups.getCallbackConfirmationCode", Reply[Code], self._group)).code

    async def groups_add_callback_server(self, url: str, title: str, secret_key: str) -> int:
        """groups.addCallbackServer (§3.5): VK asks the address for its code at once."""
        params: Params = {**self._group, "url": url, "title": title, "secret_key": secret_key}
        return (await self._call("groups.addCallbackServer", Reply[ServerId], params)).server_id

    async def groups_delete_callback_server(self, server_id: int) -> None:
        """groups.deleteCallbackServer (§3.5)."""
        await self._call("groups.deleteCallbackServer", Reply[Any], {**self._group, "server_id": server_id})

    async def groups_get_callback_servers(self) -> list[Server]:
        """groups.getCallbackServers (§3.5): all of the community, at most 10."""
        answer = await self._call("groups.getCallbackServers", Reply[Page[Server]], self._group)
        return [server for server in answer.items if server]

    async def groups_set_callback_settings(self, server_id: int, events: dict[str, int]) -> None:
        """groups.setCallbackSettings (§3.5): the version of the events and which ones come."""
        params: Params = {**self._group, "server_id": server_id, "api_version": API_VERSION, **events}
        await self._call("groups.setCallbackSettings", Reply[Any], params)

    async def groups_get_callback_settings(self, server_id: int) -> CallbackSettings:
        """groups.getCallbackSettings (§3.5)."""
        params: Params = {**self._group, "server_id": server_id}
        return await self._call("groups.getCallbackSettings", Reply[CallbackSettings], params)

    @property
    def _group(self) -> Params:
        return {"group_id": self._settings.group_id}

    async def _call(
        self, method: str, shape: type[Reply[Answer]], params: Params, *, send: bool = False
    ) -> Answer:
        """A form in a POST (§1): JSON is not understood, and a long query is refused."""
        form = {name: without_surrogates(str(value)) for name, value in params.items()}
        headers = {"Authorization": f"Bearer {self._token}"}
        response = await self._http.post(
            f"/method/{method}",
            data={**form, "v": API_VERSION},
            headers=headers,
            extensions={"effect": "send"} if send else REPEATABLE,
        )
        return read_answer(response, shape, CHANNEL).response


async def _begun_anew_once(attempt: Callable[[], Awaitable[Attachment]]) -> str:
    """§2: what cannot be saved is uploaded again, once."""
    try:
        saved = await attempt()
    except UploadStale:
        saved = await attempt()
    if not saved.reference:
        raise VendorDown("VK saved the file without giving it a number.", channel=CHANNEL)
    return saved.reference


def peer_of(written: str) -> int:
    """The number behind a chat's or a person's id. Raises NotFound for what VK never gave out."""
    if not _NUMBER.fullmatch(written):
        raise NotFound("VK has no chat or person with such an id.", channel=CHANNEL)
    return int(written)


def message_of(chat_id: str, written: str) -> tuple[int, int]:
    """Peer and cmid of a message of that chat. Raises NotFound for what is none."""
    peer, _, cmid = written.partition(":")
    if peer != chat_id or not _NUMBER.fullmatch(cmid) or cmid.startswith("-"):
        raise NotFound("There is no message with this id in this chat.", channel=CHANNEL)
    return peer_of(peer), int(cmid)


def random_id_of(peer_id: int, key: str, nth: int = 0) -> int:
    """The same for the same send, another one for every other; VK may compare over all peers (§3.1).

    `nth` counts those that turned out to be used up: in 31 bits two sends may meet.
    """
    if not key:
        return secrets.randbelow(LARGEST_RANDOM_ID) + 1
    named = f"{peer_id}\0{key}" + (f"\0{nth}" if nth else "")
    digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % LARGEST_RANDOM_ID + 1


def page_of(limit: int, cursor: str) -> tuple[int, int]:
    """VK's count and offset (§3.2). The cursor is the offset."""
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 9):
        raise BadCursor(channel=CHANNEL)
    return min(max(limit, 1), LARGEST_PAGE), int(cursor or 0)


def keyboard_of(labels: Sequence[str]) -> dict[str, Any]:
    """§5: inline, one under another as long as that fits."""
    buttons = [
        {"action": {"type": "text", "label": label, "payload": write_json({"button": label})}}
        for label in labels
    ]
    width = 1 if len(buttons) <= _ROWS else 2
    rows = [buttons[start : start + width] for start in range(0, len(buttons), width)]
    return {"inline": True, "buttons": rows}


def beside_the_words(message: Message) -> dict[str, str]:
    """Attachments and keyboard of a message, as a send names them."""
    attached = [one.reference for one in message.attachments if one and one.type != "link"]
    keyboard = message.raw.get("keyboard")
    kept = {"attachment": ",".join(filter(None, attached))}
    if isinstance(keyboard, dict):
        kept["keyboard"] = write_json(
            {name: keyboard.get(name) for name in ("one_time", "inline", "buttons")}
        )
    return {name: value for name, value in kept.items() if value}


def describe(response: httpx.Response) -> Complaint:
    """What an answer complains of: VK's errors come in a 200 (§0.2), also in rows of it (§3.1)."""
    is_html = "html" in response.headers.get("content-type", "")
    if is_html or len(response.content) > _LARGEST_ERROR:
        return Complaint()
    try:
        refusal = ErrorAnswer.model_validate_json(response.content).refusal
    except ValidationError:
        return Complaint()
    if refusal is None:
        return Complaint()
    code = refusal.code
    words = refusal.words or ""
    if code is None:
        return Complaint(words, kind=Rejected if response.is_success else None)
    return Complaint(f"error {code}, {words}", kind=kind_of(code), retry_after=_WAITS.get(code))


def kind_of(code: int) -> type[ChannelError]:
    """§2. A code that the contract does not know is a refusal of this very request."""
    return next((kind for kind, codes in _KINDS.items() if code in codes), Rejected)


#: 1, 10 and 36 may come after the message was taken; a repeat under the same random_id is harmless.
#: 7 lacks a scope and 912 the bots' abilities: the first stops everything, the second buttons only.
#: 14, 17 and 3300 want a person before the screen of the account's owner.
_KINDS: dict[type[ChannelError], frozenset[int]] = {
    OutcomeUnknown: frozenset({1, 10, 36}),
    VendorDown: frozenset({43}),
    RateLimited: frozenset({6, 9, 29}),
    AuthFailed: frozenset({2, 4, 5, 7, 14, 17, 27, 28, 200, 203, 1117, 3300}),
    Forbidden: frozenset({15, 912}),
    PeerUnreachable: frozenset(
        {18, 30, 37, 900, 901, 902, 917, 922, 925, 927, 932, 936, 945, 946, 962, 985, 987, 988, 1012}
    ),
    WindowClosed: frozenset({950}),
    NotFound: frozenset({104, 113, 125}),
    ContractBroken: frozenset({3, 8, 12, 13, 23, 24, 100}),
    UploadStale: frozenset({105, 114, 118, 121, 122, 129}),
    CannotQuote: frozenset({921, 969}),
    Rejected: frozenset({909, 910, 911, 913, 914, 920, 924, 940, 943, 944, 949, 2000}),
}
_WAITS = {9: FLOOD_SECONDS, 29: QUOTA_SECONDS}
