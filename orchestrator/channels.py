"""Client of the channels' REST: sending and asking, with their errors as our errors."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from core.auth import SENDER_HEADER
from core.channel import ChatInfo, MediaLink, Profile
from core.errors import ChannelError, NotFound, OutcomeUnknown, Rejected, VendorDown, error_class
from core.lanes import header
from core.messages import OutgoingMessage

#: Longer than a channel's own limit for one send, so that its answer is heard rather than guessed.
SEND_TIMEOUT = 90.0
READ_TIMEOUT = 5.0
#: Whether a number is on the messenger: the channel may have to wait for its turn at the vendor.
FIND_TIMEOUT = 20.0

#: What the HTTP surface of a channel refuses before the messenger is asked (core/api.py): final.
_UNREADABLE_THERE = ("invalid", "too_large", "unreadable_json")

M = TypeVar("M", bound=BaseModel)


def channels_client(key: str) -> httpx.AsyncClient:
    """What asks our own channels: never through a proxy of the environment, which would see the key."""
    return httpx.AsyncClient(headers={"X-API-Key": key}, trust_env=False)


class Channels:
    """One HTTP client for all channels; lives as long as the process."""

    def __init__(self, urls: Mapping[str, str], http: httpx.AsyncClient) -> None:
        self._urls = urls
        self._http = http

    @property
    def names(self) -> frozenset[str]:
        """Channels that can be written to."""
        return frozenset(self._urls)

    @property
    def urls(self) -> Mapping[str, str]:
        """Where each channel's server is, inside."""
        return self._urls

    async def send(self, message: OutgoingMessage) -> list[str]:
        """The vendor's ids of the sent parts. Repeating the same message id is safe: the channel knows it.

        Raises a ChannelError; OutcomeUnknown when nobody can tell whether the customer has it.
        """
        path, body = _request_of(message)
        speaking = {SENDER_HEADER: message.sender, **header()}
        answer = await self._call(
            "POST", message.channel, path, json=body, headers=speaking, timeout=SEND_TIMEOUT
        )
        ids = answer.get("message_ids")
        if not isinstance(ids, list) or not ids:
            said = f"The {message.channel} server named no message."
            raise OutcomeUnknown(said, channel=message.channel)
        return [str(one) for one in ids]

    async def chat(self, channel: str, account: str, chat_id: str) -> ChatInfo:
        """Who the customer of a chat is and which ad it is about."""
        return await self._ask(ChatInfo, channel, account, f"/api/chats/{_segment(chat_id)}")

    async def media_link(self, channel: str, account: str, file_id: str) -> MediaLink:
        """A link that opens a voice note or file now."""
        return await self._ask(MediaLink, channel, account, f"/api/media/{_segment(file_id)}")

    async def profile(self, channel: str, account: str, user_id: str) -> Profile:
        """Who a customer is, as the vendor knows them."""
        return await self._ask(Profile, channel, account, f"/api/users/{_segment(user_id)}")

    async def replay_letter(self, channel: str, letter_id: str, by: str) -> dict[str, Any]:
        """Let the channel read a dead letter of its webhook once more (core/letter_replays.py)."""
        path = f"/api/dead-letters/{_segment(letter_id)}/replay"
        return await self._call("POST", channel, path, json={"by": by}, timeout=SEND_TIMEOUT)

    async def info(self, channel: str) -> dict[str, Any]:
        """What the channel says of itself."""
        return await self._call("GET", channel, "/info")

    async def chat_of_phone(self, channel: str, account: str, phone: str) -> str:
        """The chat with the owner of a number, to write first. PeerUnreachable: not on that messenger."""
        asked = {"phone": phone, "account": account}
        try:
            answer = await self._call("POST", channel, "/api/chats/find", json=asked, timeout=FIND_TIMEOUT)
        except OutcomeUnknown as error:  # asking changes nothing, so nothing is in doubt
            raise VendorDown(error.detail, channel=channel) from error
        chat_id = answer.get("chat_id")
        if not isinstance(chat_id, str) or not chat_id:
            raise ChannelError(f"The {channel} server named no chat.", channel=channel)
        return chat_id

    async def _ask(self, kind: type[M], channel: str, account: str, path: str) -> M:
        answer = await self._call("GET", channel, path, params={"account": account})
        try:
            return kind.model_validate(answer)
        except ValidationError as error:
            said = f"The {channel} server's answer cannot be read."
            raise ChannelError(said, channel=channel) from error

    async def _call(
        self, method: str, channel: str, path: str, *, timeout: float = READ_TIMEOUT, **sent: Any
    ) -> dict[str, Any]:
        url = self._urls.get(channel)
        if url is None:
            raise NotFound(f"No channel server for {channel!r}.", channel=channel)
        try:
            response = await self._http.request(method, url + path, timeout=timeout, **sent)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise VendorDown(f"The {channel} server cannot be reached.", channel=channel) from error
        except httpx.HTTPError as error:
            raise OutcomeUnknown(f"The {channel} server gave no answer.", channel=channel) from error
        except httpx.InvalidURL as error:
            raise NotFound("The id is too long to ask for.", channel=channel) from error
        return _read(response, channel)


def _segment(name: str) -> str:
    """An opaque id as one segment of a path; NotFound for those that would change the path."""
    if name in ("", ".", ".."):
        raise NotFound(f"There is nothing with the id {name!r}.")
    return quote(name, safe="")


def _request_of(message: OutgoingMessage) -> tuple[str, dict[str, Any]]:
    body = {
        "chat_id": message.external_chat_id,
        "account": message.account,
        "idempotency_key": str(message.id),
    }
    if message.image_url:
        return "/api/messages/send/image", body | {"image_url": message.image_url, "caption": message.text}
    if message.file_url:
        file = {"kind": message.file_kind, "file_url": message.file_url, "caption": message.text}
        return "/api/messages/send/file", body | file
    more: dict[str, Any] = {"buttons": list(message.buttons)} if message.buttons else {}
    if message.reply_to:
        more["reply_to"] = message.reply_to
    return "/api/messages/send", body | {"text": message.text} | more


def _read(response: httpx.Response, channel: str) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = {}
    if response.is_success:
        return answer if isinstance(answer, dict) else {}
    raise _error(response, answer if isinstance(answer, dict) else {}, channel)


def _error(response: httpx.Response, problem: dict[str, Any], channel: str) -> ChannelError:
    code = str(problem.get("code", ""))
    detail = str(problem.get("detail", "")) or f"The {channel} server answered {response.status_code}."
    waits = str(problem.get("retry_after") or response.headers.get("retry-after") or "")
    retry_after = float(waits) if waits.replace(".", "", 1).isdecimal() else None
    if code == "unauthorized":
        return VendorDown(f"The {channel} server refuses our CHANNEL_API_KEY.", channel=channel)
    means = Rejected if code in _UNREADABLE_THERE else error_class(code)
    return means(detail, channel=channel, retry_after=retry_after)
