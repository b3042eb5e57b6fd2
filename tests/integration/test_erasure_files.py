"""Files of an erased client leave the content store with them; what others sent as well stays theirs."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from starlette.applications import Starlette

from core.auth import Caller, current_caller
from core.errors import StorageDown
from orchestrator.content_store import ContentKey, key_of, path_of
from orchestrator.erasure import Erasure
from orchestrator.hub_clients import ClientDesk
from orchestrator.media_links import media_routes
from orchestrator.safekeeping import FactsAndFiles
from tests.integration.media_fixture import JPEG, ORIGIN, PDF, FakeTranscriber, Files, NoFacts, files, wav
from tests.integration.test_erasure import KEYS, MARKER, House, writes

PHOTO = f"https://cdn/{MARKER}.jpg"
VOICE = f"https://cdn/{MARKER}.wav"
PAPER = f"https://cdn/{MARKER}.pdf"
OWN = JPEG + MARKER.encode()
SOUND = wav(tone=7)
HEARD = f"это {MARKER}"
SHARED = PDF


class Archive:
    """A house whose clients send files: the content store is a folder of this machine."""

    def __init__(self, world: Files, redis: Redis) -> None:
        self.world = world
        self.house = House(world.here, redis)
        self.redis = redis
        self.erasure = self.erasing(world.contents)
        world.web.answers |= {PHOTO: OWN, VOICE: SOUND, PAPER: SHARED, "https://cdn/shared.pdf": SHARED}

    def erasing(self, contents: Any) -> Erasure:
        return Erasure(self.world.here.pool, self.redis, KEYS, self.world.clock, contents=contents)

    async def anna(self) -> int:
        """A voice note, a photo of her own, and a paper that others have, too."""
        batch = await self.world.arrive(
            sends(MARKER, "1", {"has_voice": True, "voice_url": VOICE}),
            sends(MARKER, "2", {"has_images": True, "images": [{"url": PHOTO}]}),
            sends(
                MARKER, "3", {"has_document": True, "documents": [{"url": PAPER, "name": f"{MARKER}.pdf"}]}
            ),
        )
        return batch.client_id or 0

    async def boris(self) -> int:
        paper = {"url": "https://cdn/shared.pdf", "name": "offer.pdf"}
        batch = await self.world.arrive(sends("boris", "1", {"has_document": True, "documents": [paper]}))
        return batch.client_id or 0

    async def leftovers(self, *contents: bytes) -> list[str]:
        """Where the marker or one of these contents stands: Redis, tables, the store's names and bytes."""
        hashes = [key_of(content) for content in contents]
        found = await self.house.leftovers(MARKER, *hashes)
        for path in (path for path in self.world.folder.rglob("*") if path.is_file()):
            lies = path.read_bytes()
            named = any(word in str(path) for word in (MARKER, *hashes))
            if named or MARKER.encode() in lies or lies in contents:
                found.append(f"store {path.name}")
        return found

    async def opened(self, url: str) -> httpx.Response:
        app = Starlette(
            routes=list(media_routes(self.world.links, self.world.contents, self.world.here.pool))
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN) as web:
            return await web.get(url)


def sends(who: str, number: str, media: dict[str, Any]) -> Any:
    return writes(who, number, media=media)


@pytest.fixture
async def archive(redis_url: str, database_url: str, tmp_path: Path) -> AsyncIterator[Archive]:
    hears = FakeTranscriber()
    hears.text = HEARD
    async with (
        Redis.from_url(redis_url) as redis,
        files(database_url, tmp_path, transcriber=hears, media_wait_seconds=5) as world,
    ):
        yield Archive(world, redis)


@pytest.mark.promise("erased")
async def test_files_go_with_their_client_and_a_content_of_another_stays(archive: Archive) -> None:
    anna, boris = await archive.anna(), await archive.boris()
    planted = {one.split(" ")[0] for one in await archive.leftovers(OWN, SOUND)}
    assert planted >= {"store", "media", "contents", "messages_history"}
    assert sorted(archive.world.lying()) == sorted([OWN, SOUND, SHARED])

    report = await archive.erasure.erase(anna)

    assert await archive.leftovers(OWN, SOUND) == []
    assert archive.world.lying() == [SHARED]
    assert (archive.world.folder / path_of(key_of(SHARED))).read_bytes() == SHARED
    assert report is not None
    assert (report.files, report.tables["media"]) == (2, 3)
    assert await archive.world.here.rows("SELECT hash FROM contents") == [(key_of(SHARED),)]
    export = await archive.erasure.export(boris)
    assert export is not None
    assert [(await archive.opened(archive.world.links.address(one.id))).content for one in export.files] == [
        SHARED
    ]

    await archive.erasure.erase(boris)

    assert archive.world.lying() == []
    assert await archive.world.here.rows("SELECT hash FROM contents") == []


class Away:
    """A content store that does not answer."""

    async def forget(self, keys: Iterable[ContentKey]) -> list[ContentKey]:
        raise StorageDown("The content store does not answer.")


@pytest.mark.promise("erased")
async def test_files_that_could_not_be_forgotten_at_once_go_with_the_next_round(archive: Archive) -> None:
    """A bucket that is away, or a crash after the rows went: no row names the bytes but the store's own."""
    anna = await archive.anna()
    with pytest.raises(StorageDown):
        await archive.erasing(Away()).erase(anna)
    assert await archive.leftovers(OWN, SOUND) != []

    again = await archive.erasure.erase(anna)
    await archive.world.loop.round()

    assert again is not None
    assert await archive.leftovers(OWN, SOUND, SHARED) == []
    assert archive.world.lying() == []


@pytest.mark.promise("erased")
async def test_a_file_that_was_got_ahead_of_a_batch_does_not_outlive_its_client(archive: Archive) -> None:
    """Its words are dropped by the mark; nobody needs the bytes, and they go when nobody holds them."""
    anna = await archive.anna()
    late = sends(MARKER, "4", {"has_images": True, "images": [{"url": "https://cdn/late"}]})
    archive.world.web.answers["https://cdn/late"] = OWN + b"late"
    completed, context = await FactsAndFiles(NoFacts(), archive.world.keeping).enrich([late])
    await archive.erasure.erase(anna)

    resolved = await archive.world.here.resolve(*completed, context=context)
    archive.world.pass_time(1_000)
    await archive.world.loop.round()

    assert resolved.client_id is None
    assert await archive.leftovers(OWN, OWN + b"late") == []
    assert archive.world.lying() == []


@pytest.mark.promise("exported")
async def test_an_export_tells_every_file_with_a_link_that_opens_it(archive: Archive) -> None:
    anna = await archive.anna()
    await archive.boris()
    gone = writes(MARKER, "2", event="delete")
    await archive.world.here.resolve(gone)
    parts: Any = type("Parts", (), {})()
    parts.pool, parts.erasure, parts.files = archive.world.here.pool, archive.erasure, archive.world.links
    [export] = [one for one in ClientDesk(parts).operations() if one.name == "export_client"]

    token = current_caller.set(Caller("anna", "operator"))
    try:
        told = (await export.call({"client_id": str(anna)})).model_dump(mode="json")
    finally:
        current_caller.reset(token)

    listed = {one["hash"]: one for one in told["files"]}
    assert {(one["hash"], one["kind"], one["media_type"], one["size"]) for one in told["files"]} == {
        (key_of(SOUND), "voice", "audio/wav", len(SOUND)),
        (key_of(OWN), "image", "image/jpeg", len(OWN)),
        (key_of(SHARED), "document", "application/pdf", len(SHARED)),
    }
    assert listed[key_of(SHARED)]["name_untrusted"] == f"{MARKER}.pdf"
    assert (await archive.opened(listed[key_of(SOUND)]["url"])).content == SOUND
    assert (await archive.opened(listed[key_of(SHARED)]["url"])).content == SHARED
    assert listed[key_of(OWN)]["url"] == ""
