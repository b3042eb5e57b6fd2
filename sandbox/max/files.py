"""Media by their tokens, and the address where each really opens (contract §3.1, §4)."""

import secrets
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.max.shop import Json
from sandbox.media import Media, MediaShelf, made_up_picture
from sandbox.timing import Clock

DURATION = 3


@dataclass(frozen=True, slots=True)
class Stored:
    """A file MAX has; until `ready` it is still processed. `seen` is the link for the phone page."""

    kind: str
    token: str
    media: Media
    name: str
    url: str
    seen: str
    ready: float


class Files:
    """Everything that was ever attached; a token may be sent again."""

    def __init__(self, shelf: MediaShelf, now: Clock, mount: str) -> None:
        self._shelf = shelf
        self._now = now
        self._mount = mount
        self._kept: dict[str, Stored] = {}

    def keep(self, kind: str, media: Media, name: str, *, token: str = "", after: float = 0) -> Stored:
        """Store under a new token, or under one promised before; ready `after` seconds."""
        token = token or secrets.token_urlsafe(32)
        seen = self._shelf.put(media)
        url = urljoin(seen, f"{self._mount}/i?r={token}")
        stored = Stored(kind, token, media, name, url, seen, self._now() + after)
        self._kept[token] = stored
        return stored

    def get(self, token: object) -> Stored | None:
        return self._kept.get(token) if isinstance(token, str) else None

    def is_ready(self, stored: Stored) -> bool:
        return self._now() >= stored.ready

    def forget(self) -> None:
        self._kept.clear()

    def routes(self) -> list[Route]:
        return [Route("/i", self._serve, methods=["GET"])]

    async def _serve(self, request: Request) -> Response:
        """No token of the bot needed; the file name in the header is URL-encoded twice."""
        stored = self.get(request.query_params.get("r"))
        if stored is None:
            return PlainTextResponse("there is no such file", 404)
        headers = {
            "x-content-type-options": "nosniff",
            "content-disposition": f'attachment; filename="{quote(quote(stored.name))}"',
        }
        return Response(stored.media.content, media_type=stored.media.type, headers=headers)

    def attachment(self, stored: Stored, **more: object) -> Json:
        """The attachment as the bot receives it; sizes of videos are made up."""
        payload: Json = {"url": stored.url, "token": stored.token}
        if stored.kind == "image":
            payload = {"photo_id": photo_id(stored.token), **payload}
        beside: Json = {}
        if stored.kind == "video":
            beside = {"thumbnail": {"url": self._thumbnail()}, **video_size()}
        if stored.kind == "file":
            beside = {"filename": stored.name, "size": len(stored.media.content)}
        return {"type": stored.kind, "payload": payload, **beside, **more}

    def sticker(self, code: str) -> Json:
        url = self._drawn("sticker", f"sticker-{code}", 256, 256).url
        return {"type": "sticker", "payload": {"url": url, "code": code}, "width": 256, "height": 256}

    def _thumbnail(self) -> str:
        return self._drawn("image", "thumbnail", 320, 180).url

    def _drawn(self, kind: str, token: str, width: int, height: int) -> Stored:
        known = self.get(token)
        return known or self.keep(kind, made_up_picture(width, height), f"{token}.png", token=token)


def video_size() -> Json:
    return {"width": 640, "height": 360, "duration": DURATION}


def photo_id(token: str) -> int:
    """A number that belongs to the token."""
    return int.from_bytes(token.encode()[:7], "big")
