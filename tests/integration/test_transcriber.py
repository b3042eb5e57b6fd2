"""The client of `/v1/audio/transcriptions`, against a stand-in of that endpoint over HTTP in memory."""

import asyncio
import io
import wave
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.errors import AuthFailed, ChannelError, RateLimited, Rejected, VendorDown
from orchestrator.transcriber import LONGEST_TEXT, Hearing, OpenAITranscriber
from tests.integration.media_fixture import wav

KEY = "sk-of-nobody-0123456789"
MODEL = "a-model"


class Service:
    """The endpoint as OpenAI describes it: a multipart form with `file` and `model`."""

    def __init__(self, *answers: Response | None) -> None:
        self.answers = list(answers)
        self.forms: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.silent = False

    async def serve(self, request: Request) -> Response:
        if self.silent:
            await asyncio.Event().wait()
        self.keys.append(request.headers.get("authorization", ""))
        async with request.form() as form:
            upload: Any = form["file"]
            with wave.open(io.BytesIO(await upload.read())) as sound:  # it must open as what it is
                frames = sound.getnframes()
            texts = {name: value for name, value in form.items() if isinstance(value, str)}
            self.forms.append(
                {**texts, "frames": frames, "name": upload.filename, "type": upload.content_type}
            )
        answer = self.answers.pop(0) if self.answers else None
        return answer or JSONResponse({"text": " сколько стоит экран? \n"})

    def client(self) -> httpx.AsyncClient:
        app = Starlette(routes=[Route("/base/v1/audio/transcriptions", self.serve, methods=["POST"])])
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=app))


async def hear(service: Service, *, pauses: list[float] | None = None, **hearing: Any) -> str:
    async def pause(seconds: float) -> None:
        (pauses if pauses is not None else []).append(seconds)

    given: dict[str, Any] = {"url": "http://ear/base", "model": MODEL, "key": SecretStr(KEY)}
    asked = Hearing(**given | hearing)
    async with service.client() as http:
        return await OpenAITranscriber(http, asked, pause=pause).transcribe(wav(), "audio/wav")


@pytest.mark.promise("voice")
@pytest.mark.parametrize("url", ["http://ear/base", "http://ear/base/", "http://ear/base/v1"])
async def test_a_sound_goes_there_as_a_form_and_its_words_come_back(url: str) -> None:
    service = Service()

    words = await hear(service, url=url, language="ru")

    assert words == "сколько стоит экран?"
    assert service.forms == [
        {
            "model": MODEL,
            "language": "ru",
            "response_format": "json",
            "frames": 1600,
            "name": "voice.wav",
            "type": "audio/wav",
        }
    ]
    assert service.keys == [f"Bearer {KEY}"]


async def test_a_service_without_a_key_is_shown_none() -> None:
    """A model on a machine of one's own."""
    service = Service()

    await hear(service, key=SecretStr(""))

    assert service.keys == [""]
    assert "language" not in service.forms[0]


def refused(status: int, **headers: str) -> Callable[[], Response]:
    return lambda: JSONResponse({"error": {"message": f"your key {KEY} …"}}, status, headers=headers)


@pytest.mark.promise("no-secrets")
@pytest.mark.parametrize(
    ("status", "meaning", "asked"),
    [
        (400, Rejected, 1),
        (401, AuthFailed, 1),
        (403, AuthFailed, 1),
        (404, Rejected, 1),
        (413, Rejected, 1),
        (415, Rejected, 1),
        (422, Rejected, 1),
        (429, RateLimited, 3),
        (500, VendorDown, 3),
        (503, VendorDown, 3),
    ],
)
async def test_a_refusal_is_told_by_its_meaning_and_without_our_key(
    status: int, meaning: type[ChannelError], asked: int
) -> None:
    """Asked again only where that may help: hearing twice changes nothing."""
    service = Service(*(refused(status)() for _ in range(3)))

    with pytest.raises(ChannelError) as told:
        await hear(service)

    assert type(told.value) is meaning
    assert KEY not in str(told.value)
    assert len(service.forms) == asked


async def test_a_service_that_is_busy_is_asked_again_when_it_says() -> None:
    service, pauses = Service(refused(429, **{"retry-after": "2"})(), refused(503)()), list[float]()

    words = await hear(service, pauses=pauses)

    assert words
    assert pauses == [2.0, 1.0]


async def test_a_wait_beyond_the_bound_is_left_to_later() -> None:
    service, pauses = Service(refused(429, **{"retry-after": "120"})()), list[float]()

    with pytest.raises(RateLimited) as told:
        await hear(service, pauses=pauses, seconds=5)

    assert told.value.retry_after == 120
    assert pauses == []


async def test_a_silent_service_is_not_waited_for_beyond_the_bound() -> None:
    service = Service()
    service.silent = True

    async with asyncio.timeout(5):
        with pytest.raises(VendorDown, match="in time"):
            await hear(service, seconds=0.2)


@pytest.mark.parametrize(
    "answer",
    [Response("not json"), JSONResponse([]), JSONResponse({"text": 1}), JSONResponse({"words": "x"})],
)
async def test_an_answer_that_is_none_is_no_words(answer: Response) -> None:
    with pytest.raises(VendorDown):
        await hear(Service(answer, answer, answer))


async def test_a_note_that_is_too_large_is_not_sent() -> None:
    service = Service()

    with pytest.raises(Rejected, match="larger"):
        await hear(service, max_bytes=100)

    assert service.forms == []


async def test_words_are_what_the_database_can_hold() -> None:
    service = Service(JSONResponse({"text": "a\x00b" + "я" * 30_000}))

    words = await hear(service)

    assert words.startswith("abя")
    assert len(words) == LONGEST_TEXT


async def test_a_service_that_is_away_is_told_as_such() -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(nobody)) as http:
        hearing = Hearing("http://ear", MODEL, seconds=1)
        with pytest.raises(VendorDown, match="cannot be reached"):
            await OpenAITranscriber(http, hearing, pause=lambda _: asyncio.sleep(0)).transcribe(
                wav(), "audio/wav"
            )
