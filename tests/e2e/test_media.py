"""A voice note is read by the agent, and its file outlives the messenger's link."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evals.loopback import listening
from launcher.engines import Engines
from tests.e2e.agent import reply, turn_of
from tests.engines_fixture import database, empty_redis
from tests.system import System, running

pytestmark = pytest.mark.e2e

WORDS = "сколько стоит замена экрана"
MESSENGERS = ("avito", "telegram")


class Ear:
    """A stand-in of `/v1/audio/transcriptions`."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/audio/transcriptions", self.serve, methods=["POST"])])

    async def serve(self, request: Request) -> Response:
        async with request.form() as form:
            upload = form["file"]
            if isinstance(upload, str) or form["model"] != "of-tests":
                return JSONResponse({"error": {"message": "no file or no model"}}, 400)
            self.heard.append(await upload.read())
        return JSONResponse({"text": WORDS})


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def hearing(engines: Engines, tmp_path_factory: pytest.TempPathFactory, ear: Ear) -> Iterator[System]:
    """A messenger that links files by itself, and one whose links need our token."""
    folder = tmp_path_factory.mktemp("hearing")
    with listening(ear.app()) as url, database(engines) as database_url:
        made = System(
            folder,
            redis_url=empty_redis(engines),
            database_url=database_url,
            channels=MESSENGERS,
            TRANSCRIBE_URL=url,
            TRANSCRIBE_MODEL="of-tests",
            MEDIA_WAIT_SECONDS="15",
        )
        with running(made):
            made.start_all()
            yield made


@pytest.mark.promise("voice")
@pytest.mark.promise("media-kept")
def test_a_voice_note_is_read_and_opens_after_the_messenger_is_gone(hearing: System, ear: Ear) -> None:
    """The agent has its words in the turn; its link still gives the same bytes without the messenger."""
    opened: dict[str, bytes] = {}
    for messenger in MESSENGERS:
        customer = f"speaker of {messenger}"
        hearing.write(customer, messenger, voice=True)
        turn = turn_of(hearing, customer)
        [note] = turn["messages"]
        assert (note["voice_note"], note["voice_transcript_untrusted"]) == ("transcribed", WORDS)
        assert note["voice_url"].startswith(f"{hearing.url('orchestrator')}/media/")
        opened[note["voice_url"]] = httpx.get(note["voice_url"]).raise_for_status().content
        reply(hearing, turn, "7 900 ₽")

    hearing.kill("sandbox")

    for link, content in opened.items():
        assert content in ear.heard
        assert httpx.get(link).raise_for_status().content == content
