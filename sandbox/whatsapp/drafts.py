"""What a send call asks for, checked but not yet sent (contract §3.2); the same for sync and async."""

import base64
import binascii
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from starlette.requests import Request

from sandbox.faults import Switchboard
from sandbox.media import Media, image_type
from sandbox.whatsapp.account import Account
from sandbox.whatsapp.addresses import canonical, is_group
from sandbox.whatsapp.errors import body_of, fail, fail_bare, text_in
from sandbox.whatsapp.faults import WhatsAppFaults
from sandbox.whatsapp.fetching import Fetcher
from sandbox.whatsapp.files import is_mp4, is_quicktime, sniffed
from sandbox.whatsapp.payloads import text_content
from sandbox.whatsapp.profile import Content, Message, Profile
from sandbox.whatsapp.settings import WhatsAppSandboxSettings

Fields: TypeAlias = dict[str, Any]
PHONE = re.compile(r"\+?\d{5,15}")


@dataclass(frozen=True, slots=True)
class Draft:
    """A message for a chat; `hangs` when sending it never ends (a .mov, by the switch)."""

    command: str
    chat_id: str
    content: Content
    hangs: bool = False


Maker: TypeAlias = Callable[[Profile, Fields, str], Awaitable[Draft]]


class Drafts:
    def __init__(
        self,
        settings: WhatsAppSandboxSettings,
        account: Account,
        switches: Switchboard[WhatsAppFaults],
        fetcher: Fetcher,
    ) -> None:
        self._settings = settings
        self._account = account
        self._switches = switches
        self._fetcher = fetcher
        self.makers: dict[str, tuple[str, Maker]] = {
            "message/send": ("sendMessage", self._text),
            "message/reply": ("replyMessage", self._reply),
            "message/file/url/send": ("sendFileByUrl", self._link),
            "message/img/send": ("sendImage", self._image),
            "message/document/send": ("sendDocument", self._document),
            "message/audio/send": ("sendAudio", self._audio),
            "message/video/send": ("sendVideo", self._video),
            "message/location/send": ("sendLocation", self._location),
            "contact/send": ("sendContact", self._contact),
            "message/forward": ("forwardMessage", self._forward),
            "poll/create": ("createPoll", self._poll),
        }

    async def make(self, path: str, profile: Profile, request: Request) -> Draft:
        """The draft of `message/send` and its siblings, or a 400 that says what is wrong."""
        if path == "message/file/send":
            return self._raw(request.query_params.get("recipient", ""), await request.body())
        command, maker = self.makers[path]
        return await maker(profile, await body_of(request), command)

    async def _text(self, profile: Profile, body: Fields, command: str) -> Draft:
        """`quoted_message_id` is not in the docs; a switch says whether it quotes (§11.6)."""
        chat_id, text = self._recipient(body), self.checked_text(text_in(body, "body"))
        quoted = text_in(body, "quoted_message_id", optional=True)
        quoting = bool(quoted) and self._switches.now.quotes_in_send
        about = known(profile, quoted).id if quoting else ""
        return Draft(command, chat_id, text_content(text, about=about, reply=quoting))

    async def _reply(self, profile: Profile, body: Fields, command: str) -> Draft:
        """No recipient: the chat is that of the quoted message; with `url` a file goes along."""
        quoted = known(profile, text_in(body, "message_id"))
        url = text_in(body, "url", optional=True)
        text = self.checked_text(text_in(body, "body", optional=bool(url)))
        if not url:
            return Draft(command, quoted.chat.id, text_content(text, about=quoted.id, reply=True))
        media, name = await self._fetcher.fetch(url)
        draft = self._file(command, quoted.chat.id, media, {"caption": text, "file_name": name})
        content = draft.content
        told = Content(content.type, "", content.extra, content.media, about=quoted.id, reply=True)
        return Draft(command, draft.chat_id, told, draft.hangs)

    async def _link(self, _: Profile, body: Fields, command: str) -> Draft:
        """Caption for image, video and document, file name for documents."""
        chat_id, caption = self._recipient(body), self._caption(body)
        given = text_in(body, "file_name", optional=True)
        media, name = await self._fetcher.fetch(text_in(body, "url"))
        return self._file(command, chat_id, media, {"caption": caption, "file_name": given or name})

    async def _image(self, _: Profile, body: Fields, command: str) -> Draft:
        chat_id, content = self._recipient(body), self._bytes(body)
        kind = image_type(content)
        if kind is None:
            fail_bare()
        return self._file(command, chat_id, Media(content, kind), {"caption": self._caption(body)})

    async def _document(self, _: Profile, body: Fields, command: str) -> Draft:
        """Always a document, even when it is a photo."""
        chat_id, content, name = self._recipient(body), self._bytes(body), text_in(body, "file_name")
        caption = self._caption(body)
        extra = {"caption": caption, "file_name": name, "title": caption}
        return Draft(command, chat_id, Content("document", "", extra, Media(content, sniffed(content))))

    async def _audio(self, _: Profile, body: Fields, command: str) -> Draft:
        chat_id, content = self._recipient(body), self._bytes(body)
        kind = sniffed(content)
        media = Media(content, kind if kind.startswith("audio/") else "audio/mpeg")
        return Draft(command, chat_id, Content(self._switches.now.audio_shows_as, "", {}, media))

    async def _video(self, _: Profile, body: Fields, command: str) -> Draft:
        chat_id, content = self._recipient(body), self._bytes(body)
        kind = "video/quicktime" if is_quicktime(content) else "video/mp4"
        return self._file(command, chat_id, Media(content, kind), {"caption": self._caption(body)})

    async def _location(self, _: Profile, body: Fields, command: str) -> Draft:
        chat_id, place = self._recipient(body), [body.get("latitude"), body.get("longitude")]
        if any(isinstance(part, bool) or not isinstance(part, int | float) for part in place):
            fail("latitude and longitude are required")
        address = text_in(body, "address", optional=True)
        where = {"latitude": place[0], "longitude": place[1], "description": address}
        return Draft(command, chat_id, Content("location", None, {"location": where}))

    async def _contact(self, _: Profile, body: Fields, command: str) -> Draft:
        chat_id, phone, name = self._recipient(body), text_in(body, "phone"), text_in(body, "name")
        if not PHONE.fullmatch(phone):
            fail("phone must be a number")
        return Draft(command, chat_id, vcard(name, f"+{phone.lstrip('+')}"))

    async def _forward(self, profile: Profile, body: Fields, command: str) -> Draft:
        """A new message with the old content, and a new id."""
        old, chat_id = known(profile, text_in(body, "message_id")), self._recipient(body)
        content = old.content
        extra = {**content.extra, "is_forwarded": True}
        return Draft(command, chat_id, Content(content.type, content.body, extra, content.media))

    async def _poll(self, _: Profile, body: Fields, command: str) -> Draft:
        """WhatsApp's own bounds: 2 to 12 options."""
        chat_id, question = self._recipient(body), text_in(body, "body")
        options, select = body.get("poll_options"), body.get("poll_select_count", 1)
        if not isinstance(options, list) or not 2 <= len(options) <= 12:
            fail("poll_options must have 2 to 12 options")
        if not all(isinstance(option, str) and option.strip() for option in options):
            fail("poll_options must be texts")
        if type(select) is not int or not 0 <= select <= len(options):
            fail("poll_select_count must be a number of options")
        extra = {"poll_options": options, "poll_select_count": select}
        return Draft(command, chat_id, Content("poll", question, extra))

    def _raw(self, recipient: str, raw: bytes) -> Draft:
        """The deprecated form: base64 as the whole body, recipient in the query."""
        chat_id = self._recipient({"recipient": recipient})
        content = self._bytes({"b64_file": raw.decode("ascii", "replace").strip()})
        return self._file("sendFile", chat_id, Media(content, sniffed(content)), {})

    def _file(self, command: str, chat_id: str, media: Media, extra: Fields) -> Draft:
        """Image, video or document by what the file is; a bad video is refused without a word (§7, §8)."""
        family = media.type.partition("/")[0]
        if family == "video":
            return self._moving(command, chat_id, media, extra)
        if image_type(media.content):
            return Draft(command, chat_id, Content("image", "", extra, media))
        titled = {**extra, "title": extra.get("caption", "")}
        return Draft(command, chat_id, Content("document", "", titled, media))

    def _moving(self, command: str, chat_id: str, media: Media, extra: Fields) -> Draft:
        quicktime = media.type == "video/quicktime" or is_quicktime(media.content)
        if len(media.content) > self._settings.video_limit or not (quicktime or is_mp4(media.content)):
            fail_bare()
        if quicktime and self._switches.now.mov == "refused":
            fail_bare()
        media = Media(media.content, "video/quicktime") if quicktime else media
        content = Content("video", "", extra, media)
        return Draft(command, chat_id, content, hangs=quicktime and self._switches.now.mov == "hang")

    def _recipient(self, body: Fields) -> str:
        written = text_in(body, "recipient")
        if written.endswith("@lid") and self._switches.now.lid_recipients:
            person = self._account.person_behind(written)
            return person.address if person else fail("recipient is unknown")
        chat_id = canonical(written)
        if chat_id is None:
            fail("recipient must be digits, …@c.us or …@g.us")
        if is_group(chat_id) and not self._account.is_known_group(chat_id):
            fail("recipient is unknown")
        return chat_id

    def checked_text(self, text: str) -> str:
        if len(text) > self._settings.text_limit:
            fail(f"body is longer than {self._settings.text_limit} characters")
        return text

    def _caption(self, body: Fields) -> str:
        caption = text_in(body, "caption", optional=True)
        if len(caption) > self._settings.caption_limit:
            fail(f"caption is longer than {self._settings.caption_limit} characters")
        return caption

    def _bytes(self, body: Fields) -> bytes:
        """Pure base64: a `data:` prefix is not."""
        try:
            content = base64.b64decode(text_in(body, "b64_file"), validate=True)
        except (binascii.Error, ValueError):
            fail("b64_file must be pure base64")
        if not 0 < len(content) <= self._settings.file_limit:
            fail("b64_file is empty or too large")
        return content


def known(profile: Profile, message_id: str) -> Message:
    message = profile.messages.get(message_id)
    if message is None:
        fail("message not found")
    return message


def vcard(name: str, phone: str) -> Content:
    digits = phone.lstrip("+")
    card = f"BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nTEL;type=CELL;waid={digits}:{phone}\nEND:VCARD"
    return Content("vcard", card, {"contact": {"display_name": name, "phone": phone}})
