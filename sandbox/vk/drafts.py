"""What a call wants to say: text, attachments, forwards, keyboard, place (contract §3.1)."""

import re
from typing import Any

from sandbox.faults import Switchboard
from sandbox.vk.community import Community, Draft, Message
from sandbox.vk.errors import ApiError, fail, wrong
from sandbox.vk.faults import VkFaults
from sandbox.vk.keyboards import check_keyboard, check_template
from sandbox.vk.params import Params
from sandbox.vk.settings import VkSandboxSettings

LONGEST, LONGEST_PAYLOAD = 9000, 1000
MOST_ATTACHMENTS, MOST_FORWARDED = 10, 1000
_NAMED = re.compile(r"([a-z_]+?)(-?[0-9]{1,12})_([0-9]{1,12})(?:_([A-Za-z0-9]+))?")
_LINK = re.compile(r"https?://[^\s]+")
LIKE_DOCUMENTS = ("doc", "audio_message", "graffiti")


class Drafts:
    """Reads drafts of this community out of the parameters of `messages.send` and `messages.edit`."""

    def __init__(
        self, community: Community, settings: VkSandboxSettings, switches: Switchboard[VkFaults]
    ) -> None:
        self._community = community
        self._settings = settings
        self._switches = switches

    def read(self, params: Params, peer_id: int) -> Draft:
        draft = Draft(
            text=self._text(params),
            attachments=self._attachments(params),
            keyboard=self._keyboard(params),
            payload=params.text("payload", longest=LONGEST_PAYLOAD) or None,
            extras=self._extras(params),
        )
        self._refer(draft, params, peer_id)
        if sticker := params.number("sticker_id"):
            draft.attachments.append(_sticker(sticker))
        if not (draft.text or draft.attachments or draft.forwarded or draft.extras):
            wrong("message is empty or invalid")
        if not params.flag("dont_parse_links"):
            draft.attachments += _snippet(draft.text)
        return draft

    def _text(self, params: Params) -> str:
        text = params.text("message")
        if len(text) > self._settings.text_limit:
            fail(914)
        return text

    def _attachments(self, params: Params) -> list[dict[str, Any]]:
        names = params.text("attachment", longest=LONGEST) and params.words("attachment")
        if len(names) > MOST_ATTACHMENTS:
            wrong(f"attachment has too many elements, {MOST_ATTACHMENTS} at most")
        found = [self._attachment(name) for name in names]
        if sum(given["type"] == "wall" for given in found) > self._settings.posts_allowed:
            fail(940)
        return found

    def _attachment(self, name: str) -> dict[str, Any]:
        """By `{type}{owner}_{id}[_{key}]`; what cannot be attached is error 10 (§6)."""
        match = _NAMED.fullmatch(name)
        if match is None:
            fail(10)
        kind, owner, number, key = match.groups()
        kinds = LIKE_DOCUMENTS if kind in LIKE_DOCUMENTS else (kind,)
        for stored in kinds:
            thing = self._community.media.get(f"{stored}{owner}_{number}")
            if thing is not None and key in {None, thing.get("access_key")}:
                return {"type": stored, stored: thing}
        return fail(10)

    def _keyboard(self, params: Params) -> dict[str, Any] | None:
        if not params.text("keyboard"):
            return None
        try:
            given = params.parsed("keyboard")
        except ApiError:
            fail(911)
        keyboard = check_keyboard(given)
        self._need_bots()
        return keyboard

    def _extras(self, params: Params) -> dict[str, Any]:
        extras: dict[str, Any] = {}
        if params.text("template"):
            extras["template"] = check_template(params.parsed("template"))
            self._need_bots()
        if params.text("lat") or params.text("long"):
            place = {"latitude": params.real("lat", 90), "longitude": params.real("long", 180)}
            extras["geo"] = {"type": "point", "coordinates": place}
        return extras

    def _need_bots(self) -> None:
        if self._switches.now.bots_off:
            fail(912)

    def _refer(self, draft: Draft, params: Params, peer_id: int) -> None:
        """`reply_to`, `forward_messages` and `forward`."""
        if params.text("reply_to"):
            draft.reply_to = self._known(self._community.by_id(params.number("reply_to")), 104)
        ids = params.words("forward_messages")
        if len(ids) > MOST_FORWARDED:
            fail(913)
        for number in params.numbers("forward_messages", most=MOST_FORWARDED):
            draft.forwarded.append(self._known(self._community.by_id(number), 921))
        if params.text("forward"):
            self._forward(draft, params.parsed("forward"), peer_id)

    def _forward(self, draft: Draft, given: Any, peer_id: int) -> None:
        if not isinstance(given, dict):
            wrong("forward is invalid")
        peer = given.get("peer_id", peer_id)
        cmids = given.get("conversation_message_ids") or given.get("cmids") or []
        ids = given.get("message_ids") or []
        numbers = [peer, *_listed(cmids), *_listed(ids)]
        if not all(type(number) is int for number in numbers) or len(numbers) == 1:
            wrong("forward is invalid")
        if len(numbers) > MOST_FORWARDED + 1:
            fail(913)
        found = [self._known(self._community.at(peer, cmid), 921) for cmid in _listed(cmids)]
        found += [self._known(self._community.by_id(number), 921) for number in _listed(ids)]
        if not given.get("is_reply"):
            draft.forwarded += found
            return
        if len(found) != 1 or found[0].peer_id != peer_id:
            wrong("forward is invalid: a reply needs one message of the same peer")
        draft.reply_to = found[0]

    def _known(self, message: Message | None, code: int) -> Message:
        return message if message is not None else fail(code)


def check_side_parameters(params: Params, allowed_intents: tuple[str, ...]) -> None:
    """Parameters that change nothing here but can be wrong."""
    for name in ("content_source", "format_data"):
        if params.text(name) and not isinstance(params.parsed(name), dict):
            wrong(f"{name} is invalid")
    params.flag("disable_mentions")
    params.number("subscribe_id", bounds=(0, 100))
    if params.text("intent", "default") not in {"default", *allowed_intents}:
        fail(943)


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _sticker(number: int) -> dict[str, Any]:
    link = f"https://img.example.test/sticker/{number}/128.png"
    images = [{"url": link, "width": 128, "height": 128}]
    sticker = {
        "product_id": 1,
        "sticker_id": number,
        "images": images,
        "images_with_background": images,
    }
    return {"type": "sticker", "sticker": sticker}


def _snippet(text: str) -> list[dict[str, Any]]:
    """The link card that VK adds unless `dont_parse_links` is set."""
    found = _LINK.search(text)
    if found is None:
        return []
    link = {"url": found.group(), "title": "Ссылка", "caption": "", "description": ""}
    return [{"type": "link", "link": link}]
