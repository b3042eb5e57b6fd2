"""Reading messages and downloading their files (contract §3.5)."""

import base64
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Switchboard
from sandbox.timing import Timing
from sandbox.whatsapp.addresses import canonical
from sandbox.whatsapp.drafts import known
from sandbox.whatsapp.errors import body_of, done, fail, text_in
from sandbox.whatsapp.exchange import new_task_id
from sandbox.whatsapp.faults import WhatsAppFaults
from sandbox.whatsapp.gate import Gate
from sandbox.whatsapp.links import Links
from sandbox.whatsapp.profile import Message, Profile
from sandbox.whatsapp.queries import flag, needed, newest_first, number
from sandbox.whatsapp.settings import WhatsAppSandboxSettings
from sandbox.whatsapp.times import moment_of
from sandbox.whatsapp.views import dialog_view, row_view


@dataclass(slots=True, eq=False)
class Download:
    """A download that runs, and whose file it will return."""

    message: Message


class Reading:
    def __init__(
        self,
        settings: WhatsAppSandboxSettings,
        switches: Switchboard[WhatsAppFaults],
        links: Links,
        timing: Timing,
    ) -> None:
        self._settings = settings
        self._switches = switches
        self._links = links
        self._timing = timing
        self._running: defaultdict[str, list[Download]] = defaultdict(list)

    def routes(self, gate: Gate) -> list[Route]:
        return [
            gate.get("/api/sync/messages/get", self._of_chat),
            gate.get("/api/sync/messages/id/get", self._one),
            gate.get("/api/sync/messages/all/get", self._all),
            gate.post("/api/sync/messages/search", self._search),
            gate.get("/api/sync/message/media/download", self._download),
        ]

    async def _of_chat(self, profile: Profile, request: Request) -> Response:
        """Does not mark as read unless `mark_all` says so, and then personal chats only."""
        chat_id = canonical(needed(request, "chat_id"))
        chat = profile.chats.get(chat_id or "")
        messages = chat.messages if chat else []
        answer = self._page(profile, request, messages, self._settings.messages_limit)
        if chat and chat.person and flag(request, "mark_all"):
            for message in messages:
                message.read = True
        return answer

    async def _all(self, profile: Profile, request: Request) -> Response:
        return self._page(profile, request, list(profile.messages.values()), 400)

    def _page(self, profile: Profile, request: Request, messages: list[Message], default: int) -> Response:
        limit, offset = number(request, "limit", default), number(request, "offset", 0)
        reverse, now = flag(request, "reverse"), profile.now()
        if not messages and self._switches.now.empty_chat != "list":
            if self._switches.now.empty_chat == "400":
                fail("Messages not found")
            return done(now, detail="Messages not found", uuid=profile.id)
        found = self._dated(request, messages)
        ordered = found[::-1] if newest_first(request) else found
        rows = [row_view(profile, message, self._links) for message in ordered[offset : offset + limit]]
        shown = rows[::-1] if reverse else rows
        return done(now, messages=shown, total_count=len(found), uuid=profile.id)

    def _dated(self, request: Request, messages: list[Message]) -> list[Message]:
        """Which side of `date` is returned, and its time zone, are unknown: switches."""
        written, faults = request.query_params.get("date", ""), self._switches.now
        if not written:
            return messages
        moment = moment_of(written, faults.date_zone)
        if moment is None:
            fail("date must be YYYY-mm-ddTHH:MM:ss")
        since = faults.date_side == "since"
        return [m for m in messages if (m.created >= moment if since else m.created <= moment)]

    async def _one(self, profile: Profile, request: Request) -> Response:
        message = known(profile, needed(request, "message_id"))
        return done(profile.now(), message=row_view(profile, message, self._links))

    async def _search(self, profile: Profile, request: Request) -> Response:
        """The one method whose `status` is `success`."""
        body = await body_of(request)
        words, where = text_in(body, "body").casefold(), text_in(body, "recipient", optional=True)
        only, suffix = canonical(where), self._switches.now.address_suffix
        found = [
            {
                "chat": dialog_view(profile, message.chat, suffix=suffix, found=True),
                "message": row_view(profile, message, self._links),
            }
            for message in profile.messages.values()
            if words in message.content.words.casefold() and (not where or message.chat.id == only)
        ]
        return JSONResponse({"status": "success", "results": found, "messages": None})

    async def _download(self, profile: Profile, request: Request) -> Response:
        """400 when there is no file, or no longer (20 days)."""
        message = known(profile, needed(request, "message_id"))
        message = await self._perhaps_crossed(profile, message)
        gone = profile.now() - message.created > self._settings.media_kept
        if message.content.media is None or message.deleted or gone:
            fail("download media error")
        keys = {
            "media_type": message.content.type,
            "mime_type": message.content.media.type,
            "task_id": new_task_id(),
            "uuid": profile.id,
        }
        return done(profile.now(), **self._file(message), **keys)

    def _file(self, message: Message) -> dict[str, Any]:
        media, how = message.content.media, self._switches.now.download_as
        keys: dict[str, Any] = {}
        if media and how != "link":
            keys["file_b64"] = base64.b64encode(media.content).decode()
        if how != "base64":
            keys["file_link"], keys["file_link_expire"] = self._links.fresh(message)
        return keys

    async def _perhaps_crossed(self, profile: Profile, message: Message) -> Message:
        """With the switch on, a download lasts a while, and two at once swap their files."""
        if not self._switches.now.crossed_files:
            return message
        running, own = self._running[profile.id], Download(message)
        if running:
            own.message, running[-1].message = running[-1].message, own.message
        running.append(own)
        try:
            await self._timing.sleep(self._settings.download_takes)
        finally:
            running.remove(own)
        return own.message
