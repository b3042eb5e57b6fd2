"""Who is in a group, and who is an admin there (contract §2)."""

from typing import NoReturn

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Switchboard
from sandbox.max import queries
from sandbox.max.errors import body_of, decline, fail, invalid
from sandbox.max.events import Events
from sandbox.max.faults import MaxFaults
from sandbox.max.gate import Gate
from sandbox.max.sending import Doors
from sandbox.max.shop import Chat, Json, Member, Shop
from sandbox.max.views import member_view

MOST_ADDED = 100


class Members:
    """The members of a dialog cannot be listed; the fields of a member are from memory."""

    def __init__(self, shop: Shop, events: Events, switches: Switchboard[MaxFaults]) -> None:
        self._shop = shop
        self._events = events
        self._doors = Doors(shop, switches)

    def routes(self, gate: Gate) -> list[Route]:
        members = "/chats/{chat_id}/members"
        return [
            Route(f"{members}/me", gate.guard(self._me), methods=["GET"]),
            Route(f"{members}/me", gate.yes_or_no(self._leave), methods=["DELETE"]),
            Route(f"{members}/admins", gate.guard(self._admins), methods=["GET"]),
            Route(f"{members}/admins", gate.yes_or_no(self._promote), methods=["POST"]),
            Route(f"{members}/admins/{{user_id}}", gate.yes_or_no(self._demote), methods=["DELETE"]),
            Route(members, gate.guard(self._list), methods=["GET"]),
            Route(members, gate.guard(self._add), methods=["POST"]),
            Route(members, gate.yes_or_no(self._remove), methods=["DELETE"]),
        ]

    async def _me(self, request: Request) -> Response:
        chat = self._group(request)
        return JSONResponse(member_view(self._shop, chat, chat.members[self._shop.bot.id]))

    async def _leave(self, request: Request) -> None:
        """The bot's own leaving is not announced to it."""
        del self._group(request).members[self._shop.bot.id]

    async def _admins(self, request: Request) -> Response:
        chat = self._group(request)
        found = [m for m in chat.members.values() if m.rights is not None]
        return JSONResponse({"members": [member_view(self._shop, chat, member) for member in found]})

    async def _promote(self, request: Request) -> None:
        chat, body = self._managed(request, "add_admins"), await body_of(request)
        admins = body.get("admins")
        if not isinstance(admins, list) or not all(_is_admin(admin) for admin in admins):
            invalid("admins: must be a list of user_id and permissions")
        if any(admin["user_id"] not in chat.members for admin in admins):
            decline("only members can become admins")
        for admin in admins:
            chat.members[admin["user_id"]].rights = tuple(admin["permissions"])

    async def _demote(self, request: Request) -> None:
        chat = self._managed(request, "add_admins")
        member = chat.members.get(queries.number(request.path_params["user_id"], "userId"))
        if member is None or member.rights is None:
            decline("there is no such admin")
        member.rights = None

    async def _list(self, request: Request) -> Response:
        """By ids, or page by page; the marker is a place in the list."""
        chat, wanted = self._group(request), queries.numbers(request, "user_ids")
        found = [m for m in chat.members.values() if not wanted or m.person.id in wanted]
        count = queries.within(request, "count", 20, (1, 100))
        start = 0 if wanted else queries.within(request, "marker", 0, (0, 1 << 62))
        page = found if wanted else found[start : start + count]
        shown: Json = {"members": [member_view(self._shop, chat, member) for member in page]}
        if not wanted and start + count < len(found):
            shown["marker"] = start + count
        return JSONResponse(shown)

    async def _add(self, request: Request) -> Response:
        """Groups only; who is unknown here cannot be added."""
        chat, ids = self._managed(request, "add_remove_members"), (await body_of(request)).get("user_ids")
        if chat.type != "chat":
            _no_group()
        if not isinstance(ids, list) or not all(isinstance(one, int) for one in ids):
            invalid("user_ids: must be integers")
        if not 1 <= len(ids) <= MOST_ADDED:
            invalid(f"user_ids: size must be between 1 and {MOST_ADDED}")
        failed = [one for one in ids if one not in self._shop.people]
        for one in ids:
            if one in self._shop.people and one not in chat.members:
                chat.members[one] = Member(self._shop.people[one], self._shop.now())
        if not failed:
            return JSONResponse({"success": True})
        details = [{"error_code": "user.not.found", "user_ids": failed}]
        return JSONResponse({"success": False, "failed_user_ids": failed, "failed_user_details": details})

    async def _remove(self, request: Request) -> None:
        """`block` keeps nobody out here."""
        chat = self._managed(request, "add_remove_members")
        queries.flag(request, "block")
        user_id = queries.number(queries.required(request, "user_id"), "user_id")
        if user_id == self._shop.bot.id or chat.members.pop(user_id, None) is None:
            decline("there is no such member")

    def _group(self, request: Request) -> Chat:
        chat = self._doors.of_chat(queries.number(request.path_params["chat_id"], "chatId"))
        if chat.person:
            _no_group()
        self._doors.check_readable(chat)
        return chat

    def _managed(self, request: Request, right: str) -> Chat:
        chat = self._group(request)
        if right not in chat.rights(self._shop.bot.id):
            fail(403, f"Bot has no right {right}")
        return chat


def _is_admin(given: object) -> bool:
    if not isinstance(given, dict) or not isinstance(given.get("user_id"), int):
        return False
    rights = given.get("permissions")
    return isinstance(rights, list) and all(isinstance(right, str) for right in rights)


def _no_group() -> NoReturn:
    invalid("Method is available for groups only")
