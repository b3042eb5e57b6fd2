"""Reading: chats, messages, read mark, voice links (contract §3.2 to §3.4, §3.7)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.avito.errors import fail, invalid
from sandbox.avito.faults import AvitoFaults
from sandbox.avito.gate import Gate
from sandbox.avito.queries import array, flag, page
from sandbox.avito.shop import Chat, Shop
from sandbox.avito.views import chat_view, message_view
from sandbox.faults import Switchboard
from sandbox.media import MediaShelf

VOICE_LINK_LIVES = 3600
CHAT_TYPES = {"u2i", "u2u", "a2u"}


def chat_of(shop: Shop, request: Request) -> Chat:
    """The chat the path names, or 404."""
    chat = shop.chats.get(request.path_params["chat_id"])
    if chat is None:
        fail(404, "chat not found")
    return chat


@dataclass(frozen=True, slots=True)
class Filter:
    """Which chats are listed; no ads means all of them."""

    types: set[str]
    ads: set[str]
    unread_only: bool

    def takes(self, chat: Chat, shop: Shop) -> bool:
        about = not self.ads or str(chat.ad and chat.ad.id) in self.ads
        return chat.type in self.types and about and (not self.unread_only or shop.is_unread(chat))


def _filter_of(request: Request) -> Filter:
    types, ads = set(array(request, "chat_types")) or {"u2i"}, set(array(request, "item_ids"))
    if not types <= CHAT_TYPES:
        invalid("chat_types must be u2i, u2u or a2u", {"chat_types": "u2i, u2u, a2u"})
    if any(not ad.isdigit() for ad in ads):
        invalid("item_ids must be integers", {"item_ids": "integer"})
    return Filter(types, ads, flag(request, "unread_only"))


class Reading:
    def __init__(self, shop: Shop, shelf: MediaShelf, switches: Switchboard[AvitoFaults]) -> None:
        self._shop = shop
        self._shelf = shelf
        self._switches = switches

    def routes(self, gate: Gate) -> list[Route]:
        account = "/accounts/{user_id}"
        return [
            Route(f"/messenger/v2{account}/chats", gate.guard(self._list)),
            Route(f"/messenger/v2{account}/chats/{{chat_id}}", gate.guard(self._one)),
            Route(f"/messenger/v3{account}/chats/{{chat_id}}/messages/", gate.guard(self._messages)),
            Route(f"/messenger/v1{account}/chats/{{chat_id}}/read", gate.guard(self._read), methods=["POST"]),
            Route(f"/messenger/v1{account}/getVoiceFiles", gate.guard(self._voices)),
        ]

    async def _list(self, request: Request) -> Response:
        window, wanted = page(request, clamp=self._switches.now.clamp_limit), _filter_of(request)
        found = [chat for chat in self._shop.recent_chats() if wanted.takes(chat, self._shop)]
        shown = [chat_view(self._shop, chat) for chat in found[window]]
        return JSONResponse({"chats": shown, "meta": {"has_more": len(found) > window.stop}})

    async def _one(self, request: Request) -> Response:
        return JSONResponse(chat_view(self._shop, chat_of(self._shop, request)))

    async def _messages(self, request: Request) -> Response:
        """Newest first; does not mark the chat as read."""
        chat, faults = chat_of(self._shop, request), self._switches.now
        window = page(request, clamp=faults.clamp_limit)
        shown = [message_view(self._shop, message) for message in chat.messages[::-1][window]]
        if faults.bare_array:
            return JSONResponse(shown)
        return JSONResponse({"messages": shown, "meta": {"has_more": len(chat.messages) > window.stop}})

    async def _read(self, request: Request) -> Response:
        self._shop.read_by_account(chat_of(self._shop, request))
        return JSONResponse({"ok": True})

    async def _voices(self, request: Request) -> Response:
        wanted = array(request, "voice_ids")
        if not wanted:
            invalid("voice_ids is required", {"voice_ids": "required"})
        known = {name: self._shop.recordings[name] for name in wanted if name in self._shop.recordings}
        links = {name: self._shelf.put(kept.media, lives=VOICE_LINK_LIVES) for name, kept in known.items()}
        return JSONResponse({"voices_urls": links})
