"""Conversations, messages and profiles (contract §8, §9)."""

from sandbox.faults import Switchboard
from sandbox.instagram.calls import Call
from sandbox.instagram.errors import fail, invalid, no_such_object
from sandbox.instagram.faults import InstagramFaults
from sandbox.instagram.fields import Field, Page, check_known, fields_of, page_of, paged
from sandbox.instagram.gate import Edges
from sandbox.instagram.limits import Limits
from sandbox.instagram.profiles import Profiles
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Chat, Json, Message, Shop
from sandbox.instagram.views import MESSAGE_FIELDS, message_view, moment, participants

CHAT_FIELDS = {"id", "updated_time", "participants", "messages", "is_owner"}
MESSAGE_DEFAULT = "id,created_time"


class Reading:
    """All of it counts as the Conversations API with its two calls a second (§11)."""

    def __init__(
        self,
        settings: InstagramSandboxSettings,
        *,
        shop: Shop,
        profiles: Profiles,
        limits: Limits,
        switches: Switchboard[InstagramFaults],
    ) -> None:
        self._settings = settings
        self._shop = shop
        self._profiles = profiles
        self._limits = limits
        self._switches = switches

    def edges(self) -> Edges:
        return {
            ("GET", "conversations"): self._list,
            ("GET", "messages"): self._messages,
            ("GET", ""): self._node,
        }

    async def _list(self, call: Call) -> Json:
        """Latest first; `platform` is needed in flavour B only (§1)."""
        if not call.account.is_called(call.node, self._settings.flavour):
            no_such_object(call.node)
        self._check(call)
        platform = call.text("platform")
        if platform not in {"instagram", None} or (platform is None and self._settings.flavour == "facebook"):
            invalid("Param platform must be instagram")
        if call.text("folder") is not None:
            invalid("Param folder is not supported for Instagram")
        fields = fields_of(call.text("fields"), CHAT_FIELDS, "id,updated_time")
        wanted = call.text("user_id")
        chats = [c for c in self._listed(call) if wanted in {None, c.id}]
        shown, paging = paged([(c.conversation_id, c) for c in chats], self._page(call), *_where(call))
        return {"data": [self._chat(chat, fields, call) for chat in shown], **paging}

    def _listed(self, call: Call) -> list[Chat]:
        """Without those that lie in Requests and were silent for 30 days (§8)."""
        now, keep = self._shop.now(), self._settings.requests_live
        spoken = [c for c in self._shop.chats.values() if c.account is call.account and c.messages]
        alive = [c for c in spoken if c.answered or now - c.last_change < keep]
        return sorted(alive, key=lambda chat: -chat.messages[-1].number)

    async def _node(self, call: Call) -> Json:
        """A conversation, a message, or a profile."""
        if chat := self._chat_of(call):
            self._check(call)
            fields = fields_of(call.text("fields"), CHAT_FIELDS, "id,updated_time")
            return self._chat(chat, fields, call)
        if message := self._shop.messages.get(call.node):
            return self._message(call, message)
        return self._profiles.node(call)

    def _message(self, call: Call, message: Message) -> Json:
        """Details only of the newest; others are "deleted" (§8)."""
        chat = self._shop.chats[message.chat_id]
        if chat.account is not call.account:
            no_such_object(call.node)
        self._check(call)
        if message.deleted or message not in self._detailed(chat):
            fail(9000001, "The message you are trying to access has been deleted.")
        fields = fields_of(call.text("fields"), MESSAGE_FIELDS, MESSAGE_DEFAULT)
        return message_view(self._shop, message, set(fields))

    async def _messages(self, call: Call) -> Json:
        chat = self._chat_of(call)
        if chat is None:
            no_such_object(call.node)
        self._check(call)
        fields = fields_of(call.text("fields"), MESSAGE_FIELDS, MESSAGE_DEFAULT)
        return self._history(chat, Field(fields), self._page(call), call)

    def _chat(self, chat: Chat, fields: dict[str, Field], call: Call) -> Json:
        made: Json = {
            "id": chat.conversation_id,
            "updated_time": moment(chat.last_change),
            "participants": participants(chat),
            "is_owner": not self._switches.now.standby,
        }
        shown = {name: made[name] for name in ("id", *fields) if name in made}
        if wanted := fields.get("messages"):
            check_known(wanted.inner, MESSAGE_FIELDS)
            size = min(wanted.limit or self._settings.page_size, self._settings.largest_page)
            shown["messages"] = self._history(chat, wanted, Page(max(size, 1)), call)
        return shown

    def _history(self, chat: Chat, wanted: Field, page: Page, call: Call) -> Json:
        """Newest first; beyond the newest 20 an item has only id and time."""
        bare, full = set(MESSAGE_DEFAULT.split(",")), set(wanted.inner) or set(MESSAGE_DEFAULT.split(","))
        detailed = self._detailed(chat)
        address, params = _where(call)
        if call.path[-1] != "messages":
            address = f"{_root(call)}/{chat.conversation_id}/messages"
            params = {"fields": ",".join(wanted.inner)} if wanted.inner else {}
            params["limit"] = page.size
        items = [(message.id, message) for message in reversed(chat.alive())]
        shown, paging = paged(items, page, address, params)
        rows = [message_view(self._shop, m, full if m in detailed else bare & full) for m in shown]
        return {"data": rows, **paging}

    def _detailed(self, chat: Chat) -> list[Message]:
        return chat.alive()[-self._settings.details :]

    def _chat_of(self, call: Call) -> Chat | None:
        own = (c for c in self._shop.chats.values() if c.account is call.account and c.messages)
        return next((chat for chat in own if chat.conversation_id == call.node), None)

    def _page(self, call: Call) -> Page:
        return page_of(call.params, size=self._settings.page_size, largest=self._settings.largest_page)

    def _check(self, call: Call) -> None:
        if "messages" not in call.account.permissions:
            fail(10, "Application does not have permission for this action")
        self._limits.read(call.account)


def _where(call: Call) -> tuple[str, Json]:
    return call.address, call.params


def _root(call: Call) -> str:
    """The address up to and including the version."""
    return call.address.rstrip("/").removesuffix("/".join(call.path)).rstrip("/")
