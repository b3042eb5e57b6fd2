"""Writing: text, images, deletion, blacklist (contract §3.5 to §3.7)."""

from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.avito.chats import chat_of
from sandbox.avito.errors import body_of, fail, invalid, lost_answer
from sandbox.avito.faults import AvitoFaults
from sandbox.avito.gate import Gate
from sandbox.avito.pictures import LARGEST_FILE, check_upload, new_image_id, sizes_of
from sandbox.avito.shop import Shop
from sandbox.avito.views import sent_image_view, sent_view
from sandbox.faults import Switchboard
from sandbox.media import MediaShelf

LONGEST_TEXT = 1000
DELETE_WITHIN = 3600


class Sending:
    def __init__(self, shop: Shop, shelf: MediaShelf, switches: Switchboard[AvitoFaults]) -> None:
        self._shop = shop
        self._shelf = shelf
        self._switches = switches

    def routes(self, gate: Gate) -> list[Route]:
        account = "/accounts/{user_id}"
        chat = f"/messenger/v1{account}/chats/{{chat_id}}"
        calls = {
            f"{chat}/messages": self._text,
            f"{chat}/messages/image": self._image,
            f"{chat}/messages/{{message_id}}": self._delete,
            f"/messenger/v1{account}/uploadImages": self._upload,
            f"/messenger/v2{account}/blacklist": self._blacklist,
        }
        return [Route(path, gate.guard(call), methods=["POST"]) for path, call in calls.items()]

    async def _text(self, request: Request) -> Response:
        chat, text = chat_of(self._shop, request), _text_in(await body_of(request))
        sent = self._shop.post(chat, self._shop.account.id, "text", {"text": text}, via="api")
        self._maybe_lose_the_answer()
        return JSONResponse(sent_view(sent))

    async def _image(self, request: Request) -> Response:
        chat, body = chat_of(self._shop, request), await body_of(request)
        sizes = self._shop.pictures.get(str(body.get("image_id")))
        if sizes is None:
            invalid("unknown image_id", {"image_id": "unknown"})
        sent = self._shop.post(chat, self._shop.account.id, "image", {"image": {"sizes": sizes}}, via="api")
        self._maybe_lose_the_answer()
        return JSONResponse(sent_image_view(sent))

    def _maybe_lose_the_answer(self) -> None:
        if self._switches.spend_drop():
            lost_answer()

    async def _upload(self, request: Request) -> Response:
        if int(request.headers.get("content-length", "0")) > LARGEST_FILE + 65_536:
            invalid("the file is larger than 24 MB", {"uploadfile[]": "too large"})
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            invalid("the request must be multipart/form-data", {"uploadfile[]": "required"})
        async with request.form(max_files=10) as form:
            files = [part for part in form.getlist("uploadfile[]") if isinstance(part, UploadFile)]
            if len(files) != 1:
                invalid("exactly one file is required", {"uploadfile[]": "required"})
            media = check_upload(await files[0].read())
        image_id = new_image_id()
        self._shop.pictures[image_id] = sizes_of(media, self._shelf)
        return JSONResponse({image_id: self._shop.pictures[image_id]})

    async def _delete(self, request: Request) -> Response:
        """Own messages within the hour; what comes after it is unknown, so a switch chooses the status."""
        chat = chat_of(self._shop, request)
        message = self._shop.messages.get(request.path_params["message_id"])
        if message is None or message.chat_id != chat.id:
            fail(404, "message not found")
        if message.author_id != self._shop.account.id:
            fail(403, "only own messages can be deleted")
        if self._shop.now() - message.created > DELETE_WITHIN:
            fail(self._switches.now.late_delete_status, "a message can be deleted within 1 hour")
        self._shop.delete(message)
        return JSONResponse({})

    async def _blacklist(self, request: Request) -> Response:
        users = (await body_of(request)).get("users")
        if not isinstance(users, list) or not users or not all(_is_blockable(user) for user in users):
            invalid("users must list user_id and, if given, context.reason_id 1..4", {"users": "invalid"})
        self._shop.blocked.update(user["user_id"] for user in users)
        return Response()


def _text_in(body: dict[str, Any]) -> str:
    message = body.get("message")
    text = message.get("text") if isinstance(message, dict) else None
    if body.get("type") != "text" or not isinstance(text, str):
        invalid('the body must be {"type": "text", "message": {"text": "..."}}', {"message.text": "required"})
    if not text.strip():
        invalid("the text is empty", {"message.text": "empty"})
    if len(text) > LONGEST_TEXT:
        invalid(f"the text is longer than {LONGEST_TEXT} characters", {"message.text": "too long"})
    return text


def _is_blockable(user: object) -> bool:
    if not isinstance(user, dict) or type(user.get("user_id")) is not int:
        return False
    context = user.get("context")
    return context is None or (isinstance(context, dict) and context.get("reason_id", 4) in {1, 2, 3, 4})
