"""The VK channel: the contract of core/channel.py over the client. Glue only."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from core.account_channel import AccountChannel, answers
from core.auth import same_secret
from core.channel import (
    Arrival,
    ChatInfo,
    ChatPage,
    MediaFile,
    MediaLink,
    MessagePage,
    Normalized,
    Profile,
    Trouble,
    WebhookRequest,
    WebhookStatus,
)
from core.echoes import fingerprint
from core.errors import ChannelError, NotFound, OutcomeUnknown, PeerUnreachable, Rejected
from core.ids import DEFAULT_ACCOUNT, AccountId, ChannelName, ChatId, MessageId, UserId
from core.jsontext import write_json
from core.messages import IncomingMessage
from mcp_vk.client import (
    CHANNEL,
    LARGEST_PAGE,
    CannotQuote,
    VkClient,
    beside_the_words,
    keyboard_of,
    message_of,
    page_of,
    peer_of,
    random_id_of,
)
from mcp_vk.normalize import (
    Fingerprint,
    Here,
    chat_info,
    chat_message,
    history_arrivals,
    link_in,
    message_id,
    normalize,
)
from mcp_vk.schemas import CHATS_FROM, Gesture, Message, Server, callback_of
from mcp_vk.settings import CAPABILITIES, EVENTS, PASSING_EVENTS, RIGHTS, VkSettings

#: Ours: VK only says that its links expire.
MEDIA_LINK_SECONDS, SWEPT_MESSAGES = 600, 1_000
WEBHOOK_PATH = f"webhook/{CHANNEL}"
#: VK asks a new address at once; how long to wait before each look whether it liked the answer.
CONFIRMING = (0.2, 0.5, 1.0, 2.0, 3.0, 5.0)
#: How many numbers a send tries; after how long no send of ours is repeated (core/attempts.py: 30 days).
RANDOM_IDS, OLDEST_REPEAT_SECONDS = 3, 31 * 24 * 3_600
_ADDRESS = re.compile(r"(https?://[^\s/?#@]+)(/[^\s?#@]*)?")
_CODE = re.compile(r"[A-Za-z0-9]{1,64}")


class VkChannel(AccountChannel):
    """One community as a channel."""

    def __init__(
        self,
        client: VkClient,
        settings: VkSettings,
        *,
        account: AccountId = DEFAULT_ACCOUNT,
        fingerprint: Fingerprint = fingerprint,
    ) -> None:
        super().__init__(ChannelName(CHANNEL), account, CAPABILITIES, client)
        self._client = client
        self._fingerprint = fingerprint
        self._group_id = settings.group_id
        self._secret = settings.webhook_secret.get_secret_value()
        self._confirmation = settings.confirmation
        self._path = f"/{WEBHOOK_PATH}/{account}"
        self._newest = 0  # in the mailbox, of what we have sent

    async def send_text(self, chat_id: ChatId, text: str, *, key: str = "") -> MessageId:
        """VK recognises a repeat by the random_id that follows from `key`."""
        return await self._send(chat_id, key, message=text)

    async def send_buttons(
        self, chat_id: ChatId, text: str, labels: Sequence[str], *, key: str = ""
    ) -> MessageId:
        """Text buttons under the message (§5): a press comes back as a message with the label."""
        return await self._send(chat_id, key, message=text, keyboard=write_json(keyboard_of(labels)))

    async def send_reply(
        self, chat_id: ChatId, text: str, reply_to: MessageId, *, key: str = ""
    ) -> MessageId:
        try:
            peer_id, cmid = message_of(chat_id, reply_to)
            quoted = {"peer_id": peer_id, "conversation_message_ids": [cmid], "is_reply": True}
            return await self._send(chat_id, key, message=text, forward=write_json(quoted))
        except (NotFound, CannotQuote):
            return await self.send_text(chat_id, text, key=key)

    async def send_image(
        self, chat_id: ChatId, image: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        """Upload, save, send (§3.4): until the last step nobody sees the picture."""
        attached = await self._client.photo(peer_of(chat_id), image)
        return await self._send(chat_id, key, message=caption, attachment=attached)

    async def send_voice(
        self, chat_id: ChatId, voice: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        attached = await self._client.document(peer_of(chat_id), voice, "audio_message")
        return await self._send(chat_id, key, message=caption, attachment=attached)

    async def send_document(
        self, chat_id: ChatId, document: MediaFile, *, caption: str = "", key: str = ""
    ) -> MessageId:
        attached = await self._client.document(peer_of(chat_id), document)
        return await self._send(chat_id, key, message=caption, attachment=attached)

    async def edit_message(self, chat_id: ChatId, message_id: MessageId, text: str) -> None:
        """What stands beside the words is sent again: VK removes what an edit leaves out (§3.3)."""
        peer_id, cmid = message_of(chat_id, message_id)
        kept = beside_the_words(await self._known(peer_id, cmid))
        await self._client.messages_edit(peer_id, cmid, message=text, **kept)

    async def delete_message(self, chat_id: ChatId, message_id: MessageId) -> None:
        """For everybody. VK answers with a row, or with a map of older versions."""
        answer = await self._client.messages_delete(*message_of(chat_id, message_id))
        if isinstance(answer, dict) and not all(answer.values()):
            raise Rejected("VK did not delete the message for everybody.", channel=CHANNEL)

    async def mark_read(self, chat_id: ChatId) -> None:
        await self._client.messages_mark_as_read(peer_of(chat_id))

    async def show_typing(self, chat_id: ChatId) -> None:
        await self._client.messages_set_activity(peer_of(chat_id))

    async def answer_press(self, message: IncomingMessage) -> None:
        """Only callback buttons wait (§3.3), for about a minute; text buttons have sent a message."""
        if "event_id" in message.meta.raw:
            press = Gesture.model_validate(message.meta.raw)
            await self._client.messages_send_message_event_answer(press)

    async def get_profile(self, user_id: UserId) -> Profile:
        number = peer_of(user_id)
        users = await self._client.users_get(number) if 0 < number < CHATS_FROM else []
        if not users:
            raise NotFound("VK knows no person with this id.", channel=CHANNEL)
        return Profile(user_id=user_id, name_untrusted=users[0].name, avatar_url=users[0].photo_100 or "")

    async def may_write(self, user_id: UserId) -> bool:
        return await self._client.messages_is_messages_from_group_allowed(peer_of(user_id))

    async def list_chats(self, limit: int, cursor: str) -> ChatPage:
        count, offset = page_of(limit, cursor)
        page = await self._client.messages_get_conversations(count=count, offset=offset)
        chats = [chat_info(row.conversation, row.last_message, page) for row in page.items if row]
        return ChatPage(chats=chats, next_cursor=str(offset + count) if len(page.items) == count else "")

    async def get_chat(self, chat_id: ChatId) -> ChatInfo:
        page = await self._client.messages_get_conversations_by_id(peer_of(chat_id))
        found = next(filter(None, page.items), None)
        if found is None:
            raise NotFound("VK shows no such chat.", channel=CHANNEL)
        return chat_info(found, None, page)

    async def list_messages(self, chat_id: ChatId, limit: int, cursor: str) -> MessagePage:
        peer_id, (count, offset) = peer_of(chat_id), page_of(limit, cursor)
        page = await self._client.messages_get_history(peer_id, count=count, offset=offset)
        seen = next((one for one in page.conversations if one and one.peer_id == peer_id), None)
        messages = [chat_message(one, seen, self._group_id) for one in page.items if one]
        full = len(page.items) == count
        return MessagePage(messages=messages, next_cursor=str(offset + count) if full else "")

    async def arrivals_since(self, since: datetime, known: Sequence[ChatId]) -> Sequence[Arrival]:
        """Of the 200 latest conversations, the 1,000 latest messages of each; VK tells of no deletions."""
        del known
        earliest, found = since.timestamp(), list[Message]()
        page = await self._client.messages_get_conversations(count=LARGEST_PAGE, offset=0)
        for row in filter(None, page.items):
            if row.last_message is None or (row.last_message.date or earliest) >= earliest:
                found += await self._messages_since(row.conversation.peer_id, earliest)
        found.sort(key=lambda one: (one.date or 0, one.cmid))
        return sorted(history_arrivals(found, self._here()), key=lambda one: one.message.timestamp)

    async def media_link(self, file_id: str) -> MediaLink:
        """The message is read again for a fresh link; VK gives communities none to videos (§4.4)."""
        within = message_of(file_id.partition(":")[0], file_id.rpartition(":")[0])
        url = link_in(await self._known(*within), file_id)
        if not url:
            raise NotFound("VK gives no link to this file.", channel=CHANNEL)
        return MediaLink(url=url, expires_in=MEDIA_LINK_SECONDS)

    async def is_up(self) -> bool:
        return await answers(self._client.groups_get_by_id())

    async def troubles(self) -> Sequence[Trouble]:
        """What the key lacks, whose it is, and which events do not come."""
        rights = await self._client.groups_get_token_permissions()
        lacking = [name for name in RIGHTS if name not in rights]
        wrong = [f"The community key lacks the rights: {', '.join(lacking)}."] if lacking else []
        groups = (await self._client.groups_get_by_id()).groups
        if groups and not any(one and one.id == self._group_id for one in groups):
            wrong.append("The key belongs to another community than VK_GROUP_ID.")
        found = [Trouble(code="credentials_refused", detail=detail) for detail in wrong]
        missing = set() if "manage" in lacking else await self._missing_events()
        said = f"VK does not deliver {', '.join(sorted(missing))}: subscribe again."
        return [*found, Trouble(code="deliveries_failing", detail=said)] if missing else found

    def handshake(self, request: WebhookRequest) -> str | None:
        """The confirmation code (§4.2). An address that we subscribed carries it, so that every replica
        knows it; else the configured one is given, else the one that this process asked for.
        """
        asked = callback_of(request.body) if b"confirmation" in request.body else None
        if asked is None or (asked.type, asked.group_id) != ("confirmation", self._group_id):
            return None
        if asked.secret and not same_secret(self._secret, asked.secret):
            return None
        code = request.secret or self._confirmation
        return code if _CODE.fullmatch(code) else None

    def verify(self, request: WebhookRequest) -> bool:
        """VK signs nothing (§4.2): the secret is in the body."""
        event = callback_of(request.body)
        return event is not None and same_secret(self._secret, event.secret)

    def normalize(self, body: Any) -> Normalized:
        return normalize(body, self._here())

    async def subscribe_webhook(self, url: str) -> WebhookStatus:
        """A callback server for `url` (§3.5), unless one lives; servers of others stay as they are. Our route
        must be up: VK asks it for the code at once. Raises Rejected when VK got no right answer.
        """
        address = self._address(url)
        ours = [one for one in await self._servers() if self._bare(one.url) == address]
        asked = next((one.id for one in ours if one.status == "wait"), 0)  # by another replica
        living = next((one.id for one in ours if self._delivers(one)), 0) or await self._confirmed(asked)
        for old in ours:
            if old.id != living:
                await self._client.groups_delete_callback_server(old.id)
        living = living or await self._add(address)
        await self._client.groups_set_callback_settings(living, dict.fromkeys((*EVENTS, *PASSING_EVENTS), 1))
        return await self.webhook_status()

    async def webhook_status(self) -> WebhookStatus:
        """`subscribed` when a confirmed server has our secret."""
        servers = await self._servers()
        subscribed = any(map(self._delivers, servers))
        return WebhookStatus(subscribed=subscribed, urls=[self._shown(one.url) for one in servers])

    async def unsubscribe_webhook(self, url: str) -> WebhookStatus:
        """`url` as registered, without its code, or as webhook_status shows it."""
        address = self._address(url)
        for one in await self._servers():
            if self._bare(one.url) == address or self._shown(one.url) == url:
                await self._client.groups_delete_callback_server(one.id)
        return await self.webhook_status()

    async def _send(self, chat_id: ChatId, key: str, **content: str) -> MessageId:
        """A random_id that another message used up gives no message (§3.1): then the next is tried."""
        peer_id, newest = peer_of(chat_id), self._newest
        for nth in range(RANDOM_IDS):
            random_id = random_id_of(peer_id, key, nth)
            sent = await self._client.messages_send(peer_id, random_id, **content)
            number = sent.message_id or 0
            if number == 0 or number > newest or not await self._is_used_up(random_id, peer_id, number):
                self._newest = max(self._newest, number)
                return message_id(peer_id, sent.cmid or await self._cmid_of(peer_id, random_id))
        raise OutcomeUnknown("VK takes every random_id of this message for a used one.", channel=CHANNEL)

    async def _is_used_up(self, random_id: int, peer_id: int, number: int) -> bool:
        """Whether the message of the answer is another one: in another chat, or older than our repeats."""
        first: Message | None = None
        with suppress(ChannelError):
            first = await self._client.messages_get_by_id(message_ids=number)
        if first is None:
            raise OutcomeUnknown("VK answered with an earlier message, which it hides.", channel=CHANNEL)
        if first.random_id != random_id:
            return False
        oldest = self._client.timing.wall() - OLDEST_REPEAT_SECONDS
        return first.peer_id != peer_id or (first.date or oldest) < oldest

    async def _cmid_of(self, peer_id: int, random_id: int) -> int:
        """What a repeat is answered with is not promised (§3.1): the history knows the first message."""
        found: int | None = None
        with suppress(ChannelError):
            page = await self._client.messages_get_history(peer_id, count=LARGEST_PAGE, offset=0)
            ours = (one for one in page.items if one and one.is_of(self._group_id))
            found = next((one.cmid for one in ours if one.random_id == random_id), None)
        if found is None:
            raise OutcomeUnknown("VK took the message and did not tell its number.", channel=CHANNEL)
        return found

    async def _known(self, peer_id: int, cmid: int) -> Message:
        found = await self._client.messages_get_by_id(peer_id=peer_id, cmids=cmid)
        if found is None:
            raise NotFound("VK shows no such message.", channel=CHANNEL)
        return found

    async def _messages_since(self, peer_id: int, earliest: float) -> list[Message]:
        found: list[Message] = []
        with suppress(NotFound, PeerUnreachable):  # a chat that we have left must not stop the sweep
            for offset in range(0, SWEPT_MESSAGES, LARGEST_PAGE):
                page = await self._client.messages_get_history(peer_id, count=LARGEST_PAGE, offset=offset)
                new = [one for one in page.items if one and (one.date or earliest) >= earliest]
                found += new
                if len(new) + page.items.count(None) < LARGEST_PAGE:
                    break
        return found

    def _here(self) -> Here:
        now = datetime.fromtimestamp(self._client.timing.wall(), UTC)
        return Here(self._account, self._group_id, now, self._fingerprint)

    async def _servers(self) -> list[Server]:
        return await self._client.groups_get_callback_servers()

    async def _missing_events(self) -> set[str]:
        """What none of our servers gets; nothing while we have no server, which is told otherwise."""
        wanted = [one.id for one in await self._servers() if self._delivers(one)]
        flags = [(await self._client.groups_get_callback_settings(one)).events for one in wanted]
        return {event for event in EVENTS if flags and not any(one.get(event) for one in flags)}

    def _delivers(self, server: Server) -> bool:
        """Confirmed and ours: with our secret, or with our path where VK shows no secret."""
        if server.secret_key is None:
            return server.status == "ok" and self._path in server.url
        return server.status == "ok" and same_secret(self._secret, server.secret_key)

    async def _add(self, address: str) -> int:
        """The number of a new server that VK has confirmed. The code changes: it is asked anew (§3.5)."""
        code = await self._client.groups_get_callback_confirmation_code()
        self._confirmation = self._confirmation or code
        url = f"{address}/{code}" if address.endswith(self._path) else address
        number = await self._client.groups_add_callback_server(url, "eldoleado", self._secret)
        if not await self._confirmed(number):
            with suppress(NotFound):
                await self._client.groups_delete_callback_server(number)
            said = "VK asked this address for its code and got no right answer. Can the internet reach it?"
            raise Rejected(said, channel=CHANNEL)
        return number

    async def _confirmed(self, number: int) -> int:
        """The same number as soon as VK is content with that server; 0 when it is not, or there is none."""
        for pause in CONFIRMING if number else ():
            await self._client.timing.sleep(pause)
            status = next((one.status for one in await self._servers() if one.id == number), "failed")
            if status in {"ok", "failed"}:
                return number if status == "ok" else 0
        return 0

    def _address(self, url: str) -> str:
        """The address without its code; ours ends with the account. Raises Rejected."""
        parts = _ADDRESS.fullmatch(url)
        if parts is None:
            raise Rejected("The address must be https://host, without user and query.", channel=CHANNEL)
        path = (parts[2] or "").rstrip("/")
        completed = f"{path}/{self._account}" if path.endswith(f"/{WEBHOOK_PATH}") else path or self._path
        return self._bare(parts[1] + completed)

    def _bare(self, url: str) -> str:
        head, ours, code = url.rpartition(f"{self._path}/")
        return head + self._path if ours and _CODE.fullmatch(code) else url.rstrip("/")

    def _shown(self, url: str) -> str:
        """The address without what may be secret in it; of foreign paths nothing is shown."""
        parts = _ADDRESS.fullmatch(url)
        if parts is None:
            return "***"
        head, ours, rest = url.partition(f"/{WEBHOOK_PATH}/")
        account, _, code = rest.partition("/")
        return f"{head}{ours}{account}" + ("/***" if code else "") if ours else f"{parts[1]}/***"
