"""Answers to button presses (contract §3.4)."""

from starlette.requests import Request
from starlette.routing import Route

from sandbox.max import queries
from sandbox.max.errors import body_of, decline, fail, invalid
from sandbox.max.gate import Gate
from sandbox.max.outgoing import Reader
from sandbox.max.shop import Body, Message, Shop


class Callbacks:
    """Remembers presses; `notes` are the pop-ups each presser saw, by message.

    A press may be answered again; the message behind it is replaced as an edit replaces it (both unknown).
    """

    def __init__(self, shop: Shop, reader: Reader) -> None:
        self._shop = shop
        self._reader = reader
        self._pressed: dict[str, Message] = {}
        self.notes: dict[str, list[str]] = {}

    def remember(self, callback_id: str, message: Message) -> None:
        self._pressed[callback_id] = message

    def forget(self) -> None:
        self._pressed.clear()
        self.notes.clear()

    def routes(self, gate: Gate) -> list[Route]:
        return [Route("/answers", gate.yes_or_no(self._answer), methods=["POST"])]

    async def _answer(self, request: Request) -> None:
        callback_id = queries.required(request, "callback_id")
        body, message = await body_of(request), self._pressed.get(callback_id)
        if message is None:
            fail(404, f"Callback {callback_id} not found")
        queries.flag(request, "disable_link_preview")
        change, note = body.get("message"), body.get("notification")
        if change is None and note is None:
            invalid("`message` or `notification` is required")
        if note is not None and not isinstance(note, str):
            invalid("notification: must be a string")
        if change is not None:
            self._replace(message, change)
        if note:
            self.notes.setdefault(message.mid, []).append(note)

    def _replace(self, message: Message, change: object) -> None:
        if not isinstance(change, dict):
            invalid("message: must be an object")
        if message.deleted:
            decline("The message was deleted")
        body = self._reader.change(change).over(message.body)
        if body == Body():
            invalid("Message must have text or attachments")
        self._shop.edit(message, body)
