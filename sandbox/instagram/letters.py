"""What a customer writes, as `message` objects: text and media are messages of their own (contract §13.6)."""

from collections.abc import Callable
from typing import NamedTuple

from sandbox.answers import refuse
from sandbox.instagram.files import sample
from sandbox.instagram.settings import InstagramSandboxSettings
from sandbox.instagram.shop import Json
from sandbox.media import Media, MediaShelf
from sandbox.vendor import Letter, picture_of, voice_of

NAMES = {"voice": "audio", "document": "file", "photo": "image"}
FILES = {"image", "audio", "video", "file"}
STORIES = {"story_mention", "story", "ig_story"}
POSTS = {"ig_post": "ig_post_media_id", "share": "ig_post_media_id"}
REELS = {"ig_reel": "reel_video_id", "reel": "reel_video_id"}
REFERRAL: Json = {
    "ref": "spring_sale",
    "ad_id": "120210000000000001",
    "source": "ADS",
    "type": "OPEN_THREAD",
    "ads_context_data": {"ad_title": "Ремонт за 1 час"},
}


class Part(NamedTuple):
    """A message to store: its kind, and the wire's content."""

    type: str
    content: Json


class Writing:
    """Builds parts; `content` of a letter replaces what is made up, key by key."""

    def __init__(self, settings: InstagramSandboxSettings, shelf: MediaShelf) -> None:
        self._settings = settings
        self._shelf = shelf
        self._makers: dict[str, Callable[[Letter, Json], Part]] = {
            "text": lambda letter, given: Part(
                "text", {"text": letter.text or str(given.get("text", "Цена?"))}
            ),
            "album": self._album,
            "sticker": lambda _, given: self._picture("sticker", given),
            "gif": lambda _, given: self._picture("gif", given),
            "ephemeral": lambda *_: Part("ephemeral", {"attachments": [{"type": "ephemeral"}]}),
            "unsupported": lambda *_: Part("unsupported", {"is_unsupported": True}),
            "self": lambda letter, _: Part("text", {"text": letter.text or "себе", "is_self": True}),
            "story_reply": self._story_reply,
            "quick_reply": _quick_reply,
            "ad": self._ad,
            "product": _product,
            **dict.fromkeys(FILES, self._file),
            **dict.fromkeys(STORIES, self._story),
            **dict.fromkeys((*POSTS, *REELS), self._shared),
        }

    @property
    def kinds(self) -> set[str]:
        return {*self._makers, *NAMES}

    def parts(self, letter: Letter) -> list[Part]:
        """In the order text, image, voice, other; a quote stands at the first of them."""
        kind = NAMES.get(letter.type or "", letter.type)
        parts: list[Part] = []
        if letter.text and kind not in {"text", "self", "story_reply", "quick_reply", "ad", "product"}:
            parts.append(Part("text", {"text": letter.text}))
        if letter.image and kind != "image":
            parts.append(self._attached("image", picture_of(letter.image)))
        if letter.voice and kind != "audio":
            parts.append(self._attached("audio", voice_of(letter.voice)))
        if kind:
            parts.append(self._makers[kind](letter, letter.content or {}))
        if letter.quote:
            parts[0].content["reply_to"] = {"mid": letter.quote}
        return parts

    def link(self, media: Media, *, story: bool = False) -> str:
        """`lookaside` links die (§15.9)."""
        lives = self._settings.story_lives if story else self._settings.attachment_lives
        return self._shelf.put(media, lives=lives)

    def _attached(self, kind: str, media: Media, given: Json | None = None) -> Part:
        payload = {"url": self.link(media)} if not (given or {}).get("url") else {}
        return Part(kind, {"attachments": [{"type": kind, "payload": {**payload, **(given or {})}}]})

    def _file(self, letter: Letter, given: Json) -> Part:
        kind = NAMES.get(letter.type or "", str(letter.type))
        if kind == "image" and letter.image:
            return self._attached(kind, picture_of(letter.image), given)
        if kind == "audio" and letter.voice:
            return self._attached(kind, voice_of(letter.voice), given)
        return self._attached(kind, sample(kind), given)

    def _picture(self, shown: str, given: Json) -> Part:
        """GIFs and stickers come as `image` (§13.6)."""
        return Part(shown, self._attached("image", sample("second"), given).content)

    def _album(self, _: Letter, given: Json) -> Part:
        count = given.get("count", 2)
        if type(count) is not int or not 2 <= count <= 10:
            refuse(422, "content.count: an album has 2 to 10 pictures")
        media = [sample("image" if number % 2 == 0 else "second") for number in range(count)]
        items = [{"type": "image", "payload": {"url": self.link(one)}} for one in media]
        return Part("album", {"attachments": items})

    def _story(self, letter: Letter, given: Json) -> Part:
        kind = str(letter.type)
        payload = {"url": self.link(sample("image"), story=True), **given}
        return Part(kind, {"attachments": [{"type": kind, "payload": payload}]})

    def _shared(self, letter: Letter, given: Json) -> Part:
        kind = str(letter.type)
        media = sample("video" if kind in REELS else "image")
        key = {**POSTS, **REELS}[kind]
        payload = {"url": self.link(media), "title": "Ремонт за 1 час", key: "18000000000000101", **given}
        return Part(kind, {"attachments": [{"type": kind, "payload": payload}]})

    def _story_reply(self, letter: Letter, given: Json) -> Part:
        story = {"url": self.link(sample("video"), story=True), "id": "18000000000000009", **given}
        return Part("text", {"text": letter.text or "Хочу такой же", "reply_to": {"story": story}})

    def _ad(self, letter: Letter, given: Json) -> Part:
        """The first message after a click on an ad."""
        context = {**REFERRAL["ads_context_data"], "photo_url": self.link(sample("image"))}
        referral = {**REFERRAL, "ads_context_data": context, **given}
        return Part("text", {"text": letter.text or "Здравствуйте, я по рекламе", "referral": referral})


def _product(letter: Letter, given: Json) -> Part:
    referral = {"product": {"id": "5100000000000001", **given}}
    return Part("text", {"text": letter.text or "Есть в наличии?", "referral": referral})


def _quick_reply(letter: Letter, given: Json) -> Part:
    """A tap: the text is the title (§5.4)."""
    title = letter.text or str(given.get("title", "Выезд мастера"))
    return Part("text", {"text": title, "quick_reply": {"payload": str(given.get("payload", "visit"))}})
