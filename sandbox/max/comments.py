"""Comments below the posts of a channel (contract §2); the shapes of the answers are those of messages."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Switchboard
from sandbox.max import queries
from sandbox.max.errors import body_of, fail, invalid
from sandbox.max.faults import MaxFaults
from sandbox.max.gate import Gate
from sandbox.max.outgoing import Outgoing, Reader
from sandbox.max.sending import Doors
from sandbox.max.shop import Body, Json, Message, Shop
from sandbox.max.views import message_view


class Comments:
    def __init__(self, shop: Shop, reader: Reader, switches: Switchboard[MaxFaults]) -> None:
        self._shop = shop
        self._reader = reader
        self._doors = Doors(shop, switches)

    def routes(self, gate: Gate) -> list[Route]:
        async def add(request: Request) -> Response:
            return await self._add(request, gate)

        comments = "/messages/{mid}/comments"
        return [
            Route(comments, gate.guard(self._list), methods=["GET"]),
            Route(comments, gate.guard(add), methods=["POST"]),
            Route(f"{comments}/{{id}}", gate.guard(self._one), methods=["GET"]),
            Route(comments, gate.yes_or_no(self._edit), methods=["PUT"]),
            Route(comments, gate.yes_or_no(self._delete), methods=["DELETE"]),
        ]

    async def _list(self, request: Request) -> Response:
        """Newest first, as messages are."""
        count = queries.within(request, "count", 50, (1, 100))
        found = [c for c in reversed(self._shop.comments.get(self._post(request).mid, [])) if not c.deleted]
        return JSONResponse({"messages": [message_view(self._shop, comment) for comment in found[:count]]})

    async def _one(self, request: Request) -> Response:
        return JSONResponse(message_view(self._shop, self._comment(request)))

    async def _add(self, request: Request, gate: Gate) -> Response:
        post, said = self._post(request), self._said(await body_of(request))
        gate.count_message(post.chat_id)
        body = said.over(Body())
        if not body.text:
            invalid("A comment must have text")
        comment = self._shop.comment(post, self._shop.bot, body, via="api", link=said.link)
        return JSONResponse({"message": message_view(self._shop, comment)})

    async def _edit(self, request: Request) -> None:
        comment, said = self._comment(request), self._said(await body_of(request))
        if comment.author != self._shop.bot:
            fail(403, "Only own comments can be edited")
        self._shop.edit(comment, said.over(comment.body))

    async def _delete(self, request: Request) -> None:
        comment = self._comment(request)
        rights = self._shop.chats[comment.chat_id].rights(self._shop.bot.id)
        if comment.author != self._shop.bot and "delete" not in rights:
            fail(403, "Bot has no right to delete the comment")
        self._shop.remove(comment)

    def _said(self, body: Json) -> Outgoing:
        """Text and a reply link; no attachments."""
        if body.get("attachments"):
            invalid("attachments: comments have none")
        said = self._reader.change(body)
        if said.link and said.link.type != "reply":
            invalid("link: a comment can only reply")
        return said

    def _post(self, request: Request) -> Message:
        post = self._doors.message(request.path_params["mid"])
        if self._shop.chats[post.chat_id].type != "channel" or post.post_id:
            invalid("Only posts of channels have comments")
        return post

    def _comment(self, request: Request) -> Message:
        """Named in the path to be read, in the query to be changed (so @maxhub/max-bot-api 0.3.1)."""
        named = request.path_params.get("id") or queries.required(request, "comment_id")
        post, comment = self._post(request), self._doors.message(named)
        if comment.post_id != post.mid:
            fail(404, "There is no such comment below this post")
        return comment
