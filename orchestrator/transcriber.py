"""What a voice note says, asked of a service that speaks like OpenAI's `/v1/audio/transcriptions`."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
from pydantic import SecretStr

from core.errors import AuthFailed, ChannelError, RateLimited, Rejected, VendorDown
from core.filetypes import extension_of
from orchestrator.store.text import storable

#: More than anybody says in a voice note.
LONGEST_TEXT = 20_000
_PAUSE_SECONDS = 0.5
_TRIES = 3
_LATER = frozenset({408, 409, 425, 429, 500, 502, 503, 504})

Pause = Callable[[float], Awaitable[None]]


class Transcriber(Protocol):
    """Hears voice notes."""

    async def transcribe(self, content: bytes, media_type: str) -> str:
        """The words, "" when there are none. Repeating it is safe and costs what it cost.

        Raises AuthFailed, RateLimited, Rejected (never of use with these bytes), VendorDown.
        """


@dataclass(frozen=True, slots=True)
class Hearing:
    """Which service, which model. `language` "" lets the model find out; `seconds` bounds all tries."""

    url: str
    model: str
    key: SecretStr = field(default=SecretStr(""))
    language: str = ""
    seconds: float = 60.0
    max_bytes: int = 25 * 1024 * 1024


class OpenAITranscriber:
    """The service behind any base URL, with or without /v1 at its end."""

    def __init__(self, http: httpx.AsyncClient, hearing: Hearing, *, pause: Pause = asyncio.sleep) -> None:
        self._http = http
        self._hearing = hearing
        self._pause = pause
        base = hearing.url.rstrip("/").removesuffix("/v1")
        self._address = f"{base}/v1/audio/transcriptions"

    async def transcribe(self, content: bytes, media_type: str) -> str:
        """Ask, and ask again where that may help and there is time."""
        if len(content) > self._hearing.max_bytes:
            raise Rejected(f"The voice note is larger than {self._hearing.max_bytes} bytes.")
        ends = time.monotonic() + self._hearing.seconds
        for number in range(1, _TRIES + 1):
            try:
                async with asyncio.timeout(ends - time.monotonic()):
                    return await self._ask(content, media_type)
            except TimeoutError as error:
                raise VendorDown("The transcription service gave no answer in time.") from error
            except ChannelError as error:
                wait = error.retry_after or _PAUSE_SECONDS * 2 ** (number - 1)
                if not error.retryable or number == _TRIES or wait >= ends - time.monotonic():
                    raise
                await self._pause(wait)
        raise VendorDown("The transcription service gave no answer.")  # pragma: no cover  # the loop returns

    async def _ask(self, content: bytes, media_type: str) -> str:
        hearing = self._hearing
        form = {"model": hearing.model, "response_format": "json"}
        if hearing.language:
            form["language"] = hearing.language
        key = hearing.key.get_secret_value()
        try:
            response = await self._http.post(
                self._address,
                data=form,
                files={"file": (f"voice.{extension_of(media_type)}", content, media_type)},
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=hearing.seconds,
            )
        except httpx.HTTPError as error:
            said = f"The transcription service cannot be reached ({type(error).__name__})."
            raise VendorDown(said) from error
        return _words(response)


def _words(response: httpx.Response) -> str:
    """The text of an answer; what a refusal says is not shown on, for it may repeat our key."""
    if not response.is_success:
        raise _refusal(response)
    try:
        answer: Any = response.json()
    except ValueError as error:
        raise VendorDown("The transcription service's answer cannot be read.") from error
    text = answer.get("text") if isinstance(answer, dict) else None
    if not isinstance(text, str):
        raise VendorDown("The transcription service's answer has no text.")
    return storable(text.strip())[:LONGEST_TEXT]


def _refusal(response: httpx.Response) -> ChannelError:
    status = response.status_code
    said = f"The transcription service answered {status}."
    if status in (401, 403):
        return AuthFailed(said)
    if status == 429:
        waits = response.headers.get("retry-after", "")
        return RateLimited(said, retry_after=float(waits) if waits.isdecimal() else None)
    return VendorDown(said) if status in _LATER or status >= 500 else Rejected(said)
