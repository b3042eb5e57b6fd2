"""Client of the channels' REST: sending, chat facts and media links, with their errors as our errors."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from core.channel import ChatInfo, MediaLink
from core.errors import ChannelError, NotFound, OutcomeUnknown, VendorDown, error_class
from core.messages import OutgoingMessage

#: Longer than a channel's own limit for one send, so that its answer is heard rather than guessed.
SEND_TIMEOUT = 90.0
READ_TIMEOUT = 5.0


class Channels:
    """One HTTP client for all channels; lives as long as the process."""

    def __init__(self, urls: Mapping[str, str], http: httpx.AsyncClient) -> None:
        self._urls = urls
        self._http = http

    @property
    def names(self) -> frozenset[str]:
        """Channels that can be written to."""
        return frozenset(self._urls)

    async def send(self, message: OutgoingMessage) -> list[str]:
        """The vendor's ids of the sent parts. Repeating the same message id is safe: the channel knows it.

        Raises a ChannelError; OutcomeUnknown when nobody can tell whether the customer has it.
        """
        path, body = _request_of(message)
        answer = await self._call("POST", message.channel, path, json=body, timeout=SEND_TIMEOUT)
        return [str(one) for one in answer.get("message_ids", [])]

    async def chat(self, channel: str, account: str, chat_id: str) -> ChatInfo:
        """Who the customer of a chat is and which ad it is about."""
        path = f"/api/chats/{quote(chat_id, safe='')}"
        return ChatInfo.model_validate(await self._call("GET", channel, path, params={"account": account}))

    async def media_link(self, channel: str, account: str, file_id: str) -> MediaLink:
        """A link that opens a voice note or file now."""
        path = f"/api/media/{quote(file_id, safe='')}"
        return MediaLink.model_validate(await self._call("GET", channel, path, params={"account": account}))

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
        return _read(response, channel)


def _request_of(message: OutgoingMessage) -> tuple[str, dict[str, Any]]:
    body = {
        "chat_id": message.external_chat_id,
        "account": message.account,
        "idempotency_key": str(message.id),
    }
    if message.image_url:
        return "/api/messages/send/image", body | {"image_url": message.image_url, "caption": message.text}
    return "/api/messages/send", body | {"text": message.text}


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
    waits = problem.get("retry_after") or response.headers.get("retry-after")
    retry_after = float(waits) if str(waits or "").replace(".", "", 1).isdigit() else None
    return error_class(code)(detail, channel=channel, retry_after=retry_after)
