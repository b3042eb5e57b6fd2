"""Chat lists, archive, deletion, typing (contract §3.4)."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import Switchboard
from sandbox.whatsapp.account import DAY, Account
from sandbox.whatsapp.addresses import canonical, is_group
from sandbox.whatsapp.errors import body_of, done, fail, text_in
from sandbox.whatsapp.faults import WhatsAppFaults
from sandbox.whatsapp.gate import Endpoint, Gate
from sandbox.whatsapp.profile import TYPING_SHOWS, Chat, Profile
from sandbox.whatsapp.queries import flag, newest_first, number
from sandbox.whatsapp.views import dialog_view


class Chats:
    """`limit` has a default of our own (unknown, §3.4) and no maximum."""

    def __init__(self, account: Account, switches: Switchboard[WhatsAppFaults], limit: int) -> None:
        self._account = account
        self._switches = switches
        self._limit = limit

    def routes(self, gate: Gate) -> list[Route]:
        states = {"archive": "archiveChat", "unarchive": "unarchiveChat", "delete": "deleteChat"}
        return [
            gate.post("/api/sync/chats/get", self._list),
            gate.get("/api/sync/chats/filter", self._filter),
            gate.get("/api/sync/chats/days/get", self._days),
            *(
                gate.post(f"/api/sync/chat/{name}", self._state(name, error))
                for name, error in states.items()
            ),
            gate.post("/api/sync/chat/typing/start", self._typing(TYPING_SHOWS)),
            gate.post("/api/sync/chat/typing/stop", self._typing(0)),
        ]

    async def _list(self, profile: Profile, request: Request) -> Response:
        """The latest first; `show_all` adds chats without messages (a choice: the docs do not say)."""
        limit, offset = number(request, "limit", self._limit), number(request, "offset", 0)
        found = profile.recent_chats()
        if flag(request, "show_all"):
            found += [chat for chat in profile.chats.values() if not chat.messages]
        patterns = _patterns(await body_of(request))
        if patterns is not None:
            found = [chat for chat in found if any(pattern.search(chat.id) for pattern in patterns)]
        return self._answer(profile, found[offset : offset + limit], len(found))

    async def _filter(self, profile: Profile, request: Request) -> Response:
        """By part of number, name or last message; without `client_name` the complete list."""
        wanted = request.query_params.get("client_name", "").casefold()
        found = [chat for chat in profile.recent_chats() if wanted in _searchable(chat)]
        return self._answer(profile, found, len(found))

    async def _days(self, profile: Profile, request: Request) -> Response:
        """Chats whose last message is `offset` to `offset + limit` days old."""
        first, days = number(request, "offset", 0), number(request, "limit", 20)
        archived, deleted = flag(request, "is_archived"), flag(request, "is_deleted")
        found = [
            chat
            for chat in profile.recent_chats()
            if first <= (profile.now() - chat.messages[-1].created) / DAY < first + days
            and (archived or not chat.archived)
            and (deleted or not chat.deleted)
        ]
        return self._answer(profile, found if newest_first(request) else found[::-1], len(found))

    def _answer(self, profile: Profile, chats: list[Chat], total: int) -> Response:
        suffix = self._switches.now.address_suffix
        dialogs = [dialog_view(profile, chat, suffix=suffix) for chat in chats]
        return done(profile.now(), detail="Chats fetched", dialogs=dialogs, total_count=total)

    def _state(self, name: str, command: str) -> Endpoint:
        async def change(profile: Profile, request: Request) -> Response:
            """Deletion is final: the messages go, `isDeleted` stays, and a second one fails (§7)."""
            chat = profile.chats.get(_recipient(await body_of(request)))
            if chat is None or (name == "delete" and chat.deleted):
                fail(f"{command} error")
            if name == "delete":
                chat.deleted = True
                for message in chat.messages:
                    del profile.messages[message.id]
                chat.messages.clear()
            else:
                chat.archived = name == "archive"
            return done(profile.now())

        return change

    def _typing(self, seconds: float) -> Endpoint:
        async def show(profile: Profile, request: Request) -> Response:
            chat_id = _recipient(await body_of(request))
            if is_group(chat_id) and not self._account.is_known_group(chat_id):
                fail("typing error")
            chat = self._account.chat_with(profile, chat_id)
            chat.typing_until = profile.now() + seconds
            return done(profile.now())

        return show


def _recipient(body: dict[str, Any]) -> str:
    chat_id = canonical(text_in(body, "recipient"))
    if chat_id is None:
        fail("recipient must be digits, …@c.us or …@g.us")
    return chat_id


def _patterns(body: dict[str, Any]) -> list[re.Pattern[str]] | None:
    """`{"filter": {"ids": […]}}`; the ids may be regular expressions."""
    wanted = body.get("filter")
    if wanted is None:
        return None
    ids = wanted.get("ids") if isinstance(wanted, dict) else None
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        fail("filter.ids must be an array of texts")
    try:
        return [re.compile(one) for one in ids]
    except re.error:
        fail("filter.ids must be regular expressions")


def _searchable(chat: Chat) -> str:
    return f"{chat.id}\n{chat.title}\n{chat.messages[-1].content.words}".casefold()
