"""Chats: the card, its changes, actions, the pinned message (contract §2)."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Switchboard
from sandbox.max import queries
from sandbox.max.errors import body_of, fail, invalid
from sandbox.max.events import Events
from sandbox.max.faults import MaxFaults
from sandbox.max.gate import Gate
from sandbox.max.sending import Doors
from sandbox.max.settings import MaxSandboxSettings
from sandbox.max.shop import Chat, Json, Shop
from sandbox.max.views import chat_view, message_view

TYPING_SHOWS = 5_000
ACTIONS = ("typing_on", "sending_photo", "sending_video", "sending_audio", "sending_file")


class Chats:
    """`GET /chats` is gone (§0); the switch `chats_listed` brings the old host's back."""

    def __init__(
        self, settings: MaxSandboxSettings, shop: Shop, events: Events, switches: Switchboard[MaxFaults]
    ) -> None:
        self._shop = shop
        self._events = events
        self._switches = switches
        self._doors = Doors(shop, switches)
        self._actions = (*ACTIONS, "mark_seen") if settings.mark_seen else ACTIONS

    def routes(self, gate: Gate) -> list[Route]:
        chat = "/chats/{chat_id}"
        return [
            Route("/chats", gate.guard(self._list), methods=["GET"]),
            Route(chat, gate.guard(self._one), methods=["GET"]),
            Route(chat, gate.guard(self._change), methods=["PATCH"]),
            Route(f"{chat}/actions", gate.yes_or_no(self._act), methods=["POST"]),
            Route(f"{chat}/pin", gate.guard(self._pinned), methods=["GET"]),
            Route(f"{chat}/pin", gate.yes_or_no(self._pin), methods=["PUT"]),
            Route(f"{chat}/pin", gate.yes_or_no(self._unpin), methods=["DELETE"]),
        ]

    async def _list(self, request: Request) -> Response:
        """The old answer, from memory: `{chats, marker?}`; the marker is a place in the list."""
        if not self._switches.now.chats_listed:
            fail(404, "Path not found")
        count = queries.within(request, "count", 50, (1, 100))
        start = queries.within(request, "marker", 0, (0, 1 << 62))
        chats = [c for c in self._shop.chats.values() if not c.removed]
        shown: Json = {"chats": [chat_view(self._shop, chat) for chat in chats[start : start + count]]}
        if start + count < len(chats):
            shown["marker"] = start + count
        return JSONResponse(shown)

    async def _one(self, request: Request) -> Response:
        return JSONResponse(chat_view(self._shop, self._chat(request)))

    async def _change(self, request: Request) -> Response:
        """Title, icon by url, description, pinned message; groups and channels only."""
        chat, body = self._managed(request, "change_chat_info"), await body_of(request)
        title, description, icon = body.get("title"), body.get("description"), body.get("icon")
        if title is not None and (not isinstance(title, str) or not 1 <= len(title) <= 200):
            invalid("title: size must be between 1 and 200")
        if description is not None and not isinstance(description, str):
            invalid("description: must be a string")
        if icon is not None and (not isinstance(icon, dict) or not {"url", "token", "photos"} & set(icon)):
            invalid("icon: No `photos`, `url` or `token` provided. Check payload.")
        if body.get("pin") is not None:
            self._pin_in(chat, body["pin"])
        if title and title != chat.title:
            chat.title = title
            self._events.about("chat_title_changed", chat, self._shop.bot, title=title)
        chat.description = description if description is not None else chat.description
        chat.icon = icon.get("url", chat.icon) if icon else chat.icon
        return JSONResponse(chat_view(self._shop, chat))

    async def _act(self, request: Request) -> None:
        """Typing shows for some seconds; `mark_seen` reads the customer's messages."""
        chat, action = self._chat(request), (await body_of(request)).get("action")
        if action not in self._actions:
            invalid(f"action: must be among {', '.join(self._actions)}")
        self._doors.check_open(chat)
        if action == "typing_on":
            chat.typing_until = self._shop.now() + TYPING_SHOWS
        if action == "mark_seen":
            self._shop.mark_read(chat, by_bot=True)

    async def _pinned(self, request: Request) -> Response:
        chat = self._chat(request)
        pinned = self._shop.standing(chat.pinned) if chat.pinned else None
        return JSONResponse({"message": message_view(self._shop, pinned)} if pinned else {})

    async def _pin(self, request: Request) -> None:
        chat, body = self._managed(request, "pin_message"), await body_of(request)
        self._pin_in(chat, body.get("message_id"))

    def _pin_in(self, chat: Chat, mid: object) -> None:
        message = self._doors.message(mid) if isinstance(mid, str) else None
        if message is None or message.chat_id != chat.id:
            invalid("message_id: must be a message of this chat")
        chat.pinned = message.mid

    async def _unpin(self, request: Request) -> None:
        self._managed(request, "pin_message").pinned = None

    def _chat(self, request: Request) -> Chat:
        return self._doors.of_chat(queries.number(request.path_params["chat_id"], "chatId"))

    def _managed(self, request: Request, right: str) -> Chat:
        """A group where the bot has the right; a dialog has nothing to manage (the answer is unknown)."""
        chat = self._chat(request)
        if right not in chat.rights(self._shop.bot.id):
            fail(403, f"Bot has no right {right}")
        return chat
