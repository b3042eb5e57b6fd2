"""Our own links to kept files: stable, and good as long as the file is kept.

    GET /media/{file}.{signature}

The address is the key, as with the files of channels (core/files.py): the number of the file under our
signature. The key is made from CHANNEL_API_KEY: a new one, new links. A browser can neither guess another
type nor run what a customer sent.
"""

import base64
import hmac
import re
from typing import Any, Protocol

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.channel import MediaFile
from core.files import answering, served
from core.filetypes import clean_name, extension_of
from core.messages import Media
from core.problems import problem
from orchestrator import media_rows
from orchestrator.contents import Contents
from orchestrator.history import MessageView
from orchestrator.message_files import with_links
from orchestrator.store.pool import Pool
from orchestrator.when_away import database_errors

PATH = "/media"
_TOKEN = re.compile(r"([1-9][0-9]{0,17})\.([A-Za-z0-9_-]{43})")
_NO_FILE = "There is no such file, or no longer."


class ShowsMedia(Protocol):
    """Gives the media of a message with the links that agents are shown."""

    def shown(self, message: MessageView) -> Media: ...

    def address(self, file_id: int) -> str: ...


class VendorsLinks:
    """The links as they came."""

    def shown(self, message: MessageView) -> Media:
        """As it is."""
        return message.media

    def address(self, file_id: int) -> str:
        """None."""
        return ""


class MediaLinks:
    """`origin` is where the hub is reached; "" when nobody has told: then vendors' links are shown."""

    def __init__(self, keys: SecretStr, origin: str) -> None:
        self._key = hmac.digest(keys.get_secret_value().encode(), b"media", "sha256")
        self._origin = origin

    def link(self, file_id: int) -> str:
        """The link to a kept file, or ""."""
        return self.address(file_id) if self._origin else ""

    def address(self, file_id: int) -> str:
        """The link, or what of it comes behind the hub's address when nobody has told that."""
        return f"{self._origin}{PATH}/{file_id}.{self._signature(file_id)}"

    def read(self, token: str) -> int | None:
        """Which file a token means; None when we did not sign it."""
        found = _TOKEN.fullmatch(token)
        if not found or not hmac.compare_digest(self._signature(int(found[1])), found[2]):
            return None
        return int(found[1])

    def shown(self, message: MessageView) -> Media:
        """The message's media under our links, where the files are kept."""
        kept = {file.source: self.link(file.id) for file in message.files if file.state == "stored"}
        return with_links(message.media, lambda source: kept.get(source, ""))

    def _signature(self, file_id: int) -> str:
        signed = hmac.digest(self._key, str(file_id).encode(), "sha256")
        return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()


def media_routes(links: MediaLinks, contents: Contents, pool: Pool) -> list[Route]:
    """The public route of the hub; it needs no key."""

    async def opened(request: Request) -> Response:
        file_id = links.read(request.path_params["token"])
        with database_errors():
            file = await media_rows.to_open(pool, file_id) if file_id else None
        content = await contents.read(file.key) if file else None
        if file is None or content is None:
            return problem(404, "not_found", _NO_FILE)
        name = clean_name(file.name) or f"{file.kind}.{extension_of(file.media_type)}"
        return served(MediaFile(content, media_type=file.media_type, name=name))

    return [Route(f"{PATH}/{{token}}", answering(opened))]


def media_paths() -> dict[str, Any]:
    """The route in the OpenAPI document."""
    token = {"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}
    responses = {"200": {"description": "the file"}, "404": {"description": "no such file"}}
    says = {
        "summary": "A file of a conversation, under a link of ours",
        "security": [],
        "parameters": [token],
    }
    return {f"{PATH}/{{token}}": {"get": says | {"responses": responses}}}
