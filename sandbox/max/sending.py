"""Messages: send, edit, delete, read (contract §3.2, §3.3)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Switchboard
from sandbox.max import queries
from sandbox.max.errors import body_of, decline, fail, invalid, lost_answer, no_such_chat, suspended
from sandbox.max.events import Events
from sandbox.max.faults import MaxFaults
from sandbox.max.gate import Gate
from sandbox.max.outgoing import Reader, keyboard_in
from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.shop import Body, Chat, Message, Shop
from sandbox.max.views import message_view

EDIT_WITHIN = 7 * 24 * 3600 * 1000


class Doors:
    """Which chat a call means, and whether the bot may write there."""

    def __init__(self, shop: Shop, switches: Switchboard[MaxFaults]) -> None:
        self._shop = shop
        self._switches = switches

    def named(self, request: Request) -> Chat:
        """Exactly one of user_id and chat_id; 0 or none at all is a chat 0 (§1)."""
        user_id, chat_id = queries.optional(request, "user_id"), queries.optional(request, "chat_id")
        if user_id is not None and chat_id is not None:
            invalid("Only one of `user_id` and `chat_id` is allowed")
        if not user_id and not chat_id:
            fail(403, "Invalid chatId: 0", "chat.denied")
        return self.of_user(user_id) if user_id else self.of_chat(chat_id or 0)

    def of_user(self, user_id: int) -> Chat:
        chat = self._shop.dialog_with(user_id)
        if chat is None:
            fail(404, "error.dialog.notfound", "dialog.not.found")
        return chat

    def of_chat(self, chat_id: int) -> Chat:
        """A dialog that its person removed is not found any more (§10, pitfall 4)."""
        chat = self._shop.chats.get(chat_id)
        if chat is None or chat.removed:
            no_such_chat(chat_id)
        return chat

    def check_open(self, chat: Chat) -> None:
        """Stopped or unpublished: 403; a group: the bot must be in it, a channel also needs the right."""
        self.check_readable(chat)
        if chat.person and self._switches.now.suspended:
            suspended()
        if chat.type == "channel" and "write" not in chat.rights(self._shop.bot.id):
            fail(403, "Bot has no right to write to the channel")

    def check_readable(self, chat: Chat) -> None:
        if chat.stopped:
            suspended()
        if not chat.person and self._shop.bot.id not in chat.members:
            fail(403, "Bot is not a member of the chat", "chat.denied")

    def message(self, mid: str) -> Message:
        """A standing message of a chat the bot can see."""
        message = self._shop.standing(mid)
        if message is None or self._shop.chats[message.chat_id].removed:
            fail(404, f"Message {mid} not found")
        return message


class Sending:
    def __init__(
        self,
        settings: MaxSandboxSettings,
        shop: Shop,
        reader: Reader,
        events: Events,
        switches: Switchboard[MaxFaults],
    ) -> None:
        self._settings = settings
        self._shop = shop
        self._reader = reader
        self._events = events
        self._switches = switches
        self._doors = Doors(shop, switches)

    def routes(self, gate: Gate) -> list[Route]:
        async def send(request: Request) -> Response:
            return await self._send(request, gate)

        return [
            Route("/messages", gate.guard(send), methods=["POST"]),
            Route("/messages", gate.guard(self._list), methods=["GET"]),
            Route("/messages", gate.yes_or_no(self._edit), methods=["PUT"]),
            Route("/messages", gate.yes_or_no(self._delete), methods=["DELETE"]),
            Route("/messages/{mid}", gate.guard(self._one), methods=["GET"]),
        ]

    async def _send(self, request: Request, gate: Gate) -> Response:
        chat = self._doors.named(request)
        self._doors.check_open(chat)
        gate.count_message(chat.id)
        queries.flag(request, "disable_link_preview")
        outgoing = self._reader.new(await body_of(request))
        sent = self._shop.post(chat, self._shop.bot, outgoing.over(Body()), via="api", link=outgoing.link)
        if self._settings.echo:
            self._events.created(sent)
        if self._switches.spend_drop():
            lost_answer()
        return JSONResponse({"message": message_view(self._shop, sent)})

    async def _edit(self, request: Request) -> None:
        """Own messages; in dialogs those with a keyboard at any age, others for 7 days.

        A late edit is a soft failure (unknown in the contract).
        """
        message = self._doors.message(queries.required(request, "message_id"))
        if message.author != self._shop.bot:
            fail(403, "Only own messages can be edited")
        change = self._reader.change(await body_of(request))
        chat, age = self._shop.chats[message.chat_id], self._shop.now() - message.timestamp
        if chat.person and age >= EDIT_WITHIN and not keyboard_in(message):
            decline("The message is too old to be edited")
        body = change.over(message.body)
        if body == Body():
            invalid("Message must have text or attachments")
        self._shop.edit(message, body)
        message.link = change.link or message.link

    async def _delete(self, request: Request) -> None:
        """Own messages anywhere, those of others where the bot has the right."""
        message = self._doors.message(queries.required(request, "message_id"))
        rights = self._shop.chats[message.chat_id].rights(self._shop.bot.id)
        if message.author != self._shop.bot and "delete" not in rights:
            fail(403, "Bot has no right to delete the message")
        self._shop.remove(message)

    async def _list(self, request: Request) -> Response:
        """By chat, newest first, or by ids; ids that are unknown are left out."""
        chat_id, mids = queries.optional(request, "chat_id"), queries.array(request, "message_ids")
        if (chat_id is None) == (not mids):
            invalid("Exactly one of `chat_id` and `message_ids` is required")
        if chat_id is None:
            found = [m for mid in mids if (m := self._shop.standing(mid))]
        else:
            found = self._window(request, self._doors.of_chat(chat_id))
        return JSONResponse({"messages": [message_view(self._shop, message) for message in found]})

    def _window(self, request: Request, chat: Chat) -> list[Message]:
        """403 when the user stopped the bot; a voice message that lost its update is not here either."""
        self._doors.check_readable(chat)
        newer, older = queries.optional(request, "from"), queries.optional(request, "to")
        if not self._settings.from_is_newer:
            newer, older = older, newer
        count = queries.within(request, "count", 50, (1, 100))
        found = [
            message
            for message in reversed(list(self._shop.shown_in(chat)))
            if (newer is None or message.timestamp <= newer) and (older is None or message.timestamp >= older)
        ]
        return found[:count]

    async def _one(self, request: Request) -> Response:
        return JSONResponse(message_view(self._shop, self._doors.message(request.path_params["mid"])))
