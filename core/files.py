"""Our public addresses of files: what vendors fetch from us, and what they show to our token only.

    GET /files/{channel}/out/{token}  a file that we send, for the vendor (core/shelf.py)
    GET /files/{channel}/in/{token}   a file that a customer sent, for whoever got the link

The address itself is the key: a random name, or account, file and expiry under our signature. It names the
channel, so that one host name can stand before all channels.
"""

import asyncio
import base64
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.channel import Channel, MediaFile, MediaLink, OpensFiles
from core.clock import Clock
from core.errors import ChannelError, NotFound, Rejected, VendorDown
from core.filetypes import canonical, clean_name
from core.ids import AccountId
from core.jsontext import write_json
from core.media import FILE_MAX_BYTES
from core.problems import Problem, from_channel_error, problem
from core.registry import Service
from core.settings import ServiceSettings
from core.shelf import Shelf

LINK_SECONDS = 3_600
OPEN_SECONDS = 60.0
_WRITTEN = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})")
#: What a browser may show beside our address; anything else it saves.
_SHOWN = re.compile(r"(image/(jpeg|png|gif|webp|bmp|heic|avif)|(audio|video)/[a-z0-9.+-]+)")
_NO_FILE = "There is no such file, or no longer."


def files_address(settings: ServiceSettings, service: Service) -> str:
    """Where our files are. Raises Rejected when nobody outside can reach the address that we listen on."""
    return f"{public_origin(settings, service.port)}{files_path(service.channel)}"


def files_path(channel: str) -> str:
    """The path above the files of a channel."""
    return f"/files/{channel}"


def public_origin(settings: ServiceSettings, port: int) -> str:
    """Where others reach this service. Raises Rejected when nobody has told and nobody outside can."""
    if settings.public_url:
        return settings.public_url
    if not _is_loopback(settings.host):
        raise Rejected(
            "Files are fetched from us, and our public address is not set: set PUBLIC_URL, "
            "such as https://bot.example.ru."
        )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port or port}"


@dataclass(frozen=True, slots=True)
class Linked:
    """What a link of ours stands for."""

    account: AccountId
    file_id: str
    expires_ms: int


class FileLinks:
    """Signed links to the files of one channel. The key is made from the API keys: new keys, new links."""

    def __init__(self, channel: str, keys: SecretStr, address: Callable[[], str], clock: Clock) -> None:
        self._key = hmac.digest(keys.get_secret_value().encode(), f"files/in/{channel}".encode(), "sha256")
        self._address = address
        self._clock = clock

    def link(self, account: AccountId, file_id: str) -> MediaLink:
        """A link for an hour. Raises Rejected when we have no public address."""
        expires = self._clock.now_ms() + LINK_SECONDS * 1000
        body = _encoded(write_json([account, file_id, expires]).encode("utf-8", "surrogatepass"))
        url = f"{self._address()}/in/{body}.{self._signature(body)}"
        return MediaLink(url=url, expires_in=LINK_SECONDS)

    def read(self, token: str) -> Linked | None:
        """What the token stands for; None when we did not sign it."""
        found = _WRITTEN.fullmatch(token)
        if not found or not hmac.compare_digest(self._signature(found[1]), found[2]):
            return None
        account, file_id, expires = json.loads(_decoded(found[1]))
        return Linked(AccountId(account), file_id, expires)

    def has_expired(self, linked: Linked) -> bool:
        """Whether its hour is over."""
        return self._clock.now_ms() >= linked.expires_ms

    def _signature(self, body: str) -> str:
        return _encoded(hmac.digest(self._key, body.encode(), "sha256"))


def file_routes(
    channel: str, shelf: Shelf, links: FileLinks, channels: Mapping[AccountId, Channel]
) -> list[Route]:
    """The public routes of a channel; they need no key."""

    async def outgoing(request: Request) -> Response:
        file = await shelf.take(request.path_params["token"])
        return served(file) if file else problem(404, "not_found", _NO_FILE)

    async def incoming(request: Request) -> Response:
        linked = links.read(request.path_params["token"])
        if linked is None:
            return problem(404, "not_found", _NO_FILE)
        if links.has_expired(linked):
            what_to_do = {"what_to_do": "Ask for a new link."}
            return problem(410, "link_expired", "The link was good for an hour.", extra=what_to_do)
        return served(await _opened(channels, linked))

    return [
        Route(f"{files_path(channel)}/out/{{token}}", answering(outgoing)),
        Route(f"{files_path(channel)}/in/{{token}}", answering(incoming)),
    ]


def file_paths(channel: str) -> dict[str, Any]:
    """The routes in the OpenAPI document."""
    says = {
        "out": "The vendor fetches a file here that we send",
        "in": "A file that a customer sent, under a link of ours",
    }
    token = {"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}
    answers = {"200": "the file", "404": "no such file", "410": "the link has expired"}
    responses = {status: {"description": text} for status, text in answers.items()}
    return {
        f"{files_path(channel)}/{path}/{{token}}": {
            "get": {"summary": text, "security": [], "parameters": [token], "responses": responses}
        }
        for path, text in says.items()
    }


def answering(serve: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """The endpoint of a public route: our errors as problems."""

    async def endpoint(request: Request) -> Response:
        try:
            response: Response = await serve(request)
        except ChannelError as error:
            return from_channel_error(error)
        except Problem as refusal:
            return refusal.response
        return response

    return endpoint


async def _opened(channels: Mapping[AccountId, Channel], linked: Linked) -> MediaFile:
    """The file from the vendor, now. Raises ChannelError, Problem."""
    channel = channels.get(linked.account)
    if not isinstance(channel, OpensFiles):
        raise NotFound("There is no such account any more.")
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            file = await channel.open_file(linked.file_id)
    except TimeoutError as error:
        raise VendorDown("The messenger did not give the file in time.") from error
    if len(file.content) > FILE_MAX_BYTES:
        megabytes = FILE_MAX_BYTES // 1024 // 1024
        raise Problem(problem(502, "file_too_large", f"The file is larger than {megabytes} MB."))
    return file


def served(file: MediaFile) -> Response:
    """The bytes so that a browser can neither guess another type nor run what is in them."""
    media_type = canonical(file.media_type) or "application/octet-stream"
    shown = "inline" if _SHOWN.fullmatch(media_type) else "attachment"
    name = clean_name(file.name) or "file"
    plain = re.sub(r"[^A-Za-z0-9 ._-]", "_", name)
    headers = {
        "Content-Disposition": f"{shown}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
    }
    response = Response(file.content, headers=headers)
    response.headers["Content-Type"] = media_type  # as it is: Starlette would add a charset to a text
    return response


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> str:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "surrogatepass")
