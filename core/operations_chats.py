"""Operations about chats and the people in them: list, look, mark as read, show that we write, find."""

from contextlib import suppress
from typing import Annotated, Protocol

from pydantic import BaseModel, Field

from core.accounts import Accounts
from core.arguments import AccountArgument, ChatArgument, CursorArgument, LimitArgument
from core.auth import Bounds, bounds_now
from core.channel import (
    Channel,
    ChatInfo,
    ChatMessage,
    ChatPage,
    KeepsHistory,
    KnowsProfiles,
    ListsChats,
    MarksRead,
    MessagePage,
    OpensChats,
    Profile,
    ShowsChats,
    ShowsTyping,
)
from core.chat_completion import ChatIds
from core.completion import Completers, one_of
from core.errors import NotFound, Rejected
from core.ids import AccountId, ChatId, UserId
from core.operations import Operation
from core.resource_uris import ACCOUNT_CHAT, CHAT, of_channel
from core.resources import ResourceOf

#: Messages that a chat is shown with.
_LAST = 20


class Done(BaseModel):
    """It was done."""

    ok: bool = True


class FoundChat(BaseModel):
    """The chat with the owner of a number."""

    chat_id: str


class Conversation(ChatInfo):
    """A chat with its last messages."""

    messages: list[ChatMessage] = Field(
        default_factory=list, description="newest first; empty too where the messenger shows none"
    )


class RemembersChats(Protocol):
    """Our own list of chats, for vendors that list none (core/known_chats.py)."""

    async def list_chats(self, account: AccountId, limit: int, cursor: str) -> ChatPage: ...

    async def get_chat(self, account: AccountId, chat_id: ChatId) -> ChatInfo: ...


class Chats:
    """What is known of the chats of one channel; `remembered` answers where the vendor does not."""

    def __init__(self, title: str, accounts: Accounts, remembered: RemembersChats | None) -> None:
        self._title = title
        self._accounts = accounts
        self._remembered = remembered

    def operations(self, some: Channel) -> list[Operation]:
        """Those that a channel with these parts can serve."""
        ours = self._remembered is not None
        return [
            *(self._listing() if self._lists(some) else []),
            *(self._showing() if ours or isinstance(some, ShowsChats) else []),
            *self._whole(some),
            *(self._history() if isinstance(some, KeepsHistory) else []),
            *(self._marking() if isinstance(some, MarksRead) else []),
            *(self._typing() if isinstance(some, ShowsTyping) else []),
            *(self._knowing() if isinstance(some, KnowsProfiles) else []),
            *(self._finding() if isinstance(some, OpensChats) else []),
        ]

    def _listing(self) -> list[Operation]:
        title = f"List {self._title} chats"
        return [Operation("list_chats", title, "GET", "/api/chats", self._list_chats, "read")]

    def _showing(self) -> list[Operation]:
        title, path = f"Get a chat of {self._title}", "/api/chats/{chat_id}"
        return [Operation("get_chat", title, "GET", path, self._get_chat, "read")]

    def resources(self, name: str, some: Channel) -> list[ResourceOf]:
        """A chat under its URI, with and without an account."""
        ids: Completers = {"chat_id": ChatIds(self._list_chats)} if self._lists(some) else {}
        both: Completers = {"account": one_of(*self._accounts.names), **ids}
        chat, of_one = of_channel(CHAT, name), of_channel(ACCOUNT_CHAT, name)
        return [
            resource
            for operation in self._whole(some)
            for resource in (
                ResourceOf(chat, operation, completers=ids),
                ResourceOf(of_one, operation, title=f"{operation.title}, by account", completers=both),
            )
        ]

    def _lists(self, some: Channel) -> bool:
        return self._remembered is not None or isinstance(some, ListsChats)

    def _whole(self, some: Channel) -> list[Operation]:
        if self._remembered is None and not isinstance(some, ShowsChats):
            return []
        title, path = f"Chat on {self._title}", "/api/chats/{chat_id}/conversation"
        return [Operation("read_conversation", title, "GET", path, self._conversation, "read", tool=False)]

    def _history(self) -> list[Operation]:
        title, path = f"List messages of a chat on {self._title}", "/api/chats/{chat_id}/messages"
        return [Operation("list_messages", title, "GET", path, self._list_messages, "read")]

    def _marking(self) -> list[Operation]:
        path = "/api/chats/{chat_id}/read"
        return [Operation("mark_read", "Mark a chat as read", "POST", path, self._mark_read, "work")]

    def _typing(self) -> list[Operation]:
        path = "/api/chats/{chat_id}/typing"
        return [Operation("show_typing", "Show that we write", "POST", path, self._show_typing, "work")]

    def _knowing(self) -> list[Operation]:
        title, path = f"Get a customer of {self._title}", "/api/users/{user_id}"
        return [Operation("get_profile", title, "GET", path, self._get_profile, "read")]

    def _finding(self) -> list[Operation]:
        title = f"Find a chat by phone on {self._title}"
        return [Operation("find_chat", title, "POST", "/api/chats/find", self._find_chat, "read")]

    async def _list_chats(
        self, limit: LimitArgument = 20, cursor: CursorArgument = "", account: AccountArgument = "default"
    ) -> ChatPage:
        """List customers' chats, newest first, with the ad each is about: start here to find a chat_id."""
        channel = self._accounts.one(account).channel
        if bounds := bounds_now():
            return await self._of_token(bounds, channel.name, account)
        if isinstance(channel, ListsChats):
            return await channel.list_chats(limit, cursor)
        return await self._own(account).list_chats(self._accounts.name(account), limit, cursor)

    async def _of_token(self, bounds: Bounds, channel: str, account: str) -> ChatPage:
        """The chats that a token is for, as far as the messenger shows them."""
        place, found = (channel, self._accounts.name(account)), []
        for *its, chat_id in sorted(bounds.chats):
            if (*its,) == place:
                with suppress(NotFound):
                    found.append(await self._get_chat(chat_id, account))
        return ChatPage(chats=found)

    async def _get_chat(self, chat_id: ChatArgument, account: AccountArgument = "default") -> ChatInfo:
        """Get one chat, to know who the customer is and which ad it is about."""
        channel = self._accounts.one(account).channel
        if isinstance(channel, ShowsChats):
            return await channel.get_chat(ChatId(chat_id))
        return await self._own(account).get_chat(self._accounts.name(account), ChatId(chat_id))

    async def _conversation(
        self, chat_id: ChatArgument, account: AccountArgument = "default"
    ) -> Conversation:
        """Read a chat: who the customer is, which ad it is about, and the last messages."""
        chat = await self._get_chat(chat_id, account)
        channel = self._accounts.one(account).channel
        if not isinstance(channel, KeepsHistory):
            return Conversation(**chat.model_dump())
        page = await channel.list_messages(ChatId(chat_id), _LAST, "")
        return Conversation(**chat.model_dump(), messages=page.messages)

    async def _list_messages(
        self,
        chat_id: ChatArgument,
        limit: LimitArgument = 20,
        cursor: CursorArgument = "",
        account: AccountArgument = "default",
    ) -> MessagePage:
        """List the messages of a chat, newest first, to read what was said before you answer."""
        channel = self._accounts.part(account, KeepsHistory)
        return await channel.list_messages(ChatId(chat_id), limit, cursor)

    async def _mark_read(self, chat_id: ChatArgument, account: AccountArgument = "default") -> Done:
        """Mark the whole chat as read by the business, once you have dealt with it."""
        await self._accounts.part(account, MarksRead).mark_read(ChatId(chat_id))
        return Done()

    async def _show_typing(self, chat_id: ChatArgument, account: AccountArgument = "default") -> Done:
        """Show the customer for some seconds that we are writing, before an answer that takes time."""
        await self._accounts.part(account, ShowsTyping).show_typing(ChatId(chat_id))
        return Done()

    async def _get_profile(
        self,
        user_id: Annotated[
            str,
            Field(min_length=1, max_length=512, description="client_user_id of a chat", examples=["77001"]),
        ],
        account: AccountArgument = "default",
    ) -> Profile:
        """Get what the messenger tells of a customer, such as the name, when a chat does not show it."""
        return await self._accounts.part(account, KnowsProfiles).get_profile(UserId(user_id))

    async def _find_chat(
        self,
        phone: Annotated[
            str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164", examples=["+79990001122"])
        ],
        account: AccountArgument = "default",
    ) -> FoundChat:
        """Find the chat with a phone number, to write first to a customer who has not written here."""
        return FoundChat(chat_id=await self._accounts.part(account, OpensChats).chat_of_phone(phone))

    def _own(self, account: str) -> RemembersChats:
        if self._remembered is None:
            raise Rejected(f"The account {account!r} cannot do this.")
        return self._remembered
