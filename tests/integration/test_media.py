"""Files of messages: kept before their links end, never in the way of the words, and within limits."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from core.errors import NotFound, StorageDown, VendorDown
from core.media_fetch import Unfetched
from orchestrator import media_rows
from orchestrator.content_store import ContentKey, key_of
from orchestrator.hub_files import links, voice_note
from orchestrator.hub_views import history_line, message_view
from orchestrator.safekeeping import FactsAndFiles
from orchestrator.store.resolve import resolve_batch
from tests.integration.media_fixture import (
    JPEG,
    ORIGIN,
    PDF,
    Files,
    NoFacts,
    files,
    photo,
    voice,
    wav,
)
from tests.integration.test_resolve_scene import batch, message

URL = "https://cdn/1.jpg"


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncIterator[Files]:
    async with files(database_url, tmp_path) as made:
        yield made


# --- before the link ends ---------------------------------------------------------------------------------


@pytest.mark.promise("media-kept")
async def test_a_file_is_kept_before_its_turn_is_offered_and_the_turn_has_our_link(world: Files) -> None:
    world.web.answers[URL] = JPEG

    [shown] = await world.shown(await world.arrive(photo("1")))

    assert await world.states() == ["stored"]
    [link] = message_view(shown, world.links).image_urls
    assert link.startswith(f"{ORIGIN}/media/")
    assert world.lying() == [JPEG]


@pytest.mark.promise("media-kept")
async def test_what_was_not_had_ahead_is_fetched_afterwards(world: Files) -> None:
    """The row was written with the message: a process that died between the two forgets nothing."""
    world.web.answers[URL] = JPEG
    resolved = await world.missed(photo("1"))
    [before] = await world.shown(resolved)

    await world.loop.round()

    [after] = await world.shown(resolved)
    assert message_view(before, world.links).image_urls == [URL]
    assert message_view(after, world.links).image_urls[0].startswith(ORIGIN)
    assert world.counted("media", "stored") == 1


@pytest.mark.promise("media-kept")
async def test_a_vendor_that_fails_is_asked_again_until_it_gives(world: Files) -> None:
    world.web.answers[URL] = Unfetched("answered 503", "away")
    await world.arrive(photo("1"))
    await world.loop.round()
    await world.loop.round()
    asked_at_once = len(world.web.asked)

    world.web.answers[URL] = JPEG
    world.pass_time(5)
    await world.loop.round()

    assert asked_at_once == 2  # ahead, and once afterwards: not before its pause is over
    assert await world.states() == ["stored"]


@pytest.mark.promise("media-kept")
async def test_a_link_that_ended_is_asked_of_the_channel_anew(world: Files) -> None:
    """Avito's voice links live an hour; the id lives on."""
    world.web.answers["https://fresh/f1"] = wav()
    world.pass_time(7200)

    await world.missed(voice("1", "https://ended", voice_file_id="f1"))
    await world.loop.round()

    assert world.web.asked == ["https://ended", "https://fresh/f1"]
    assert await world.states() == ["stored"]


async def test_a_file_of_our_own_channel_is_opened_inside(world: Files) -> None:
    """Its public address may lead through a proxy that does not let us in."""
    world.channel.links["f1"] = "https://bot.example/files/avito/in/abc.def"
    world.inside.answers["http://mcp_avito:8765/files/avito/in/abc.def"] = JPEG

    await world.missed(message("1", media={"has_images": True, "images": [{"file_id": "f1"}]}))
    await world.loop.round()

    assert await world.states() == ["stored"]
    assert world.web.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "https://bot.example/files/telegram/in/abc.def",
        "https://bot.example/files/avito/in/../../api/token",
        "https://bot.example/files/avito/out/abc",
        "https://bot.example/api/token",
    ],
)
async def test_no_other_address_leads_inside(world: Files, url: str) -> None:
    await world.arrive(photo("1", url))

    assert world.inside.asked == []


async def test_a_file_that_its_vendor_has_not_is_given_up_soon(world: Files) -> None:
    await world.missed(photo("1"))
    for _ in range(5):
        await world.loop.round()
        world.pass_time(3600)

    assert await world.states() == ["expired"]
    assert len(world.web.asked) == 3


async def test_a_file_that_cannot_be_had_is_given_up_in_the_end(database_url: str, tmp_path: Path) -> None:
    async with files(database_url, tmp_path, media_attempts=4) as world:
        world.channel.links["f1"] = VendorDown("away")
        await world.missed(voice("1", "", voice_file_id="f1"))
        for _ in range(10):
            await world.loop.round()
            world.pass_time(3600)

        assert await world.states() == ["failed"]
        assert len(world.channel.asked) == 4


async def test_an_id_that_the_vendor_does_not_know_is_not_asked_for_again(world: Files) -> None:
    world.channel.links["f1"] = NotFound("gone")
    await world.missed(voice("1", "", voice_file_id="f1"))

    await world.loop.round()

    assert await world.states() == ["expired"]


async def test_two_replicas_never_fetch_one_file_twice(world: Files) -> None:
    for number in range(12):
        world.web.answers[f"https://cdn/{number}"] = JPEG + bytes([number])
        await world.missed(photo(str(number), f"https://cdn/{number}"))

    await asyncio.gather(world.replica().round(), world.replica().round(), world.replica().round())

    assert sorted(world.web.asked) == sorted(set(world.web.asked))
    assert await world.states() == ["stored"] * 12


async def test_a_file_of_a_worker_that_died_is_taken_over_when_its_lease_ends(world: Files) -> None:
    world.web.answers[URL] = JPEG
    await world.missed(photo("1"))
    now = world.contents.now()
    await media_rows.claim(world.here.pool, now=now, until=now.replace(minute=now.minute + 2), most=1)

    await world.loop.round()
    early = await world.states()
    world.pass_time(180)
    await world.loop.round()

    assert (early, await world.states()) == (["waiting"], ["stored"])


async def test_a_store_that_is_away_costs_no_try(world: Files) -> None:
    class Away:
        async def put(self, key: str, content: bytes) -> None:
            raise StorageDown("away")

    world.web.answers[URL] = JPEG
    await world.missed(photo("1"))
    working, world.contents._store = world.contents._store, Away()  # type: ignore[assignment]  # puts only
    for _ in range(20):
        await world.loop.round()
        world.pass_time(60)
    world.contents._store = working
    await world.loop.round()

    assert await world.states() == ["stored"]


async def test_a_deleted_message_is_not_fetched_and_its_file_opens_no_more(world: Files) -> None:
    world.web.answers[URL] = JPEG
    await world.arrive(photo("1"))
    await world.missed(photo("2", "https://cdn/2.jpg"))
    await world.here.resolve(message("1", event="delete", second=9), message("2", event="delete", second=9))

    await world.loop.round()

    assert await world.states() == ["stored", "failed"]
    assert await media_rows.to_open(world.here.pool, 1) is None


async def test_an_edit_brings_its_new_file_and_keeps_the_old(world: Files) -> None:
    world.web.answers |= {URL: JPEG, "https://cdn/2.jpg": JPEG + b"2"}
    resolved = await world.arrive(photo("1"))
    edit = photo("1", "https://cdn/2.jpg", event="edit", second=5)

    await world.arrive(edit)

    [shown] = await world.shown(resolved)
    assert await world.states() == ["stored", "stored"]
    assert [file.state for file in shown.files] == ["stored", "stored"]
    assert message_view(shown, world.links).image_urls == [world.links.link(shown.files[1].id)]


async def test_a_repeated_batch_writes_no_row_twice(world: Files) -> None:
    world.web.answers[URL] = JPEG
    await world.arrive(photo("1"))
    await world.arrive(photo("1"))

    assert await world.states() == ["stored"]


async def test_every_kind_of_file_is_kept_and_linked_in_turn_and_history(world: Files) -> None:
    world.web.answers |= {
        "https://cdn/a.jpg": JPEG,
        "https://cdn/v.mp4": b"\x00\x00\x00\x18ftypmp42",
        "https://cdn/d.pdf": PDF,
        "https://cdn/v.ogg": b"OggS voice",
    }
    media = {
        "has_voice": True,
        "voice_url": "https://cdn/v.ogg",
        "has_images": True,
        "images": [{"url": "https://cdn/a.jpg"}, {"url": "https://cdn/a.jpg"}],
        "has_video": True,
        "videos": [{"url": "https://cdn/v.mp4"}],
        "has_document": True,
        "documents": [{"url": "https://cdn/d.pdf", "name": "цены.pdf"}],
    }

    [shown] = await world.shown(await world.arrive(message("1", media=media)))

    assert await world.states() == ["stored"] * 4
    view, line = message_view(shown, world.links), history_line(shown, world.links)
    ours = [view.voice_url, *view.image_urls, *(file.url for file in view.files)]
    assert line.file_urls == ours == links(world.links.shown(shown))
    assert all(link.startswith(ORIGIN) for link in ours)
    assert len(set(ours)) == 4  # the picture sent twice is one


# --- the text is never blocked ----------------------------------------------------------------------------


@pytest.mark.promise("media-never-blocks")
async def test_a_silent_file_holds_up_the_text_for_the_bound_and_no_longer(world: Files) -> None:
    """Ten endless files are waited for together; the one that came is in the turn."""
    world.web.answers["https://cdn/quick"] = JPEG
    endless = [photo(str(number), f"https://cdn/{number}") for number in range(10)]
    world.web.silent = {f"https://cdn/{number}" for number in range(10)}
    quick = photo("quick", "https://cdn/quick")

    async with asyncio.timeout(20):
        resolved = await world.arrive(quick, *endless, message("words", "Цена?"))

    shown = await world.shown(resolved)
    assert len(shown) == 12
    assert await world.states() == ["stored", *["waiting"] * 10]


@pytest.mark.promise("media-never-blocks")
async def test_a_file_or_a_store_that_fails_costs_only_itself(world: Files) -> None:
    world.web.answers[URL] = JPEG
    (world.folder.parent / "media").write_text("a file where the folder should be")

    resolved = await world.arrive(photo("1"), message("2", "Цена?"))

    assert len(await world.shown(resolved)) == 2
    assert await world.states() == ["waiting"]


@pytest.mark.promise("media-never-blocks")
async def test_without_a_wait_nothing_is_fetched_ahead(database_url: str, tmp_path: Path) -> None:
    async with files(database_url, tmp_path, media_wait_seconds=0) as world:
        await world.arrive(photo("1"))

        assert world.web.asked == []
        assert await world.states() == ["waiting"]


# --- limits -----------------------------------------------------------------------------------------------


@pytest.mark.promise("media-limits")
@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (JPEG + bytes(2000), "too_large"),
        (b"MZ\x90\x00 a program", "refused_type"),
        (b"\x1f\x8b\x08 packed", "refused_type"),
        (Unfetched("not public", "address"), "refused_address"),
    ],
)
async def test_what_is_beyond_the_limits_is_refused_once_and_for_all(
    database_url: str, tmp_path: Path, answer: bytes | Unfetched, state: str
) -> None:
    async with files(database_url, tmp_path, media_max_bytes=1000) as world:
        world.web.answers[URL] = answer
        resolved = await world.missed(photo("1"))
        for _ in range(3):
            await world.loop.round()
            world.pass_time(3600)

        assert await world.states() == [state]
        assert len(world.web.asked) == 1
        assert world.lying() == []
        [shown] = await world.shown(resolved)
        assert message_view(shown, world.links).image_urls == [URL]  # the vendor's link is all there is


@pytest.mark.promise("media-limits")
async def test_files_older_than_the_days_they_are_kept_go(database_url: str, tmp_path: Path) -> None:
    async with files(database_url, tmp_path, media_keep_days=1) as world:
        world.web.answers |= {URL: JPEG, "https://cdn/2.jpg": PDF}
        resolved = await world.arrive(photo("1"))
        world.pass_time(86_000)
        await world.arrive(photo("2", "https://cdn/2.jpg"))
        world.pass_time(1_000)
        await world.loop.round()

        assert await world.states() == ["removed", "stored"]
        assert world.lying() == [PDF]
        [shown, _] = await world.shown(resolved)
        assert message_view(shown, world.links).image_urls == [URL]
        assert world.counted("media", "removed") == 1


@pytest.mark.promise("media-limits")
async def test_the_oldest_files_go_when_the_store_is_full(database_url: str, tmp_path: Path) -> None:
    async with files(database_url, tmp_path, content_store_bytes=250) as world:
        for number in range(4):
            world.web.answers[f"https://cdn/{number}"] = JPEG.ljust(100, bytes([number]))
            await world.arrive(photo(str(number), f"https://cdn/{number}"))
            world.pass_time(1)
        await world.loop.round()

        assert await world.states() == ["removed", "removed", "stored", "stored"]
        assert len(world.lying()) == 2
        size = world.metrics.registry.get_sample_value("eldoleado_media_store", {"what": "bytes"})
        assert size == 200


# --- contents that several need ---------------------------------------------------------------------------


async def erase(world: Files, chat: str) -> list[str]:
    """As the erasure of a client does: their messages go, and with these the rows of their files."""
    pool = world.here.pool
    client = await pool.fetchval("SELECT client_id FROM messages_history WHERE external_chat_id = $1", chat)
    of_client = "SELECT content_hash FROM media JOIN messages_history AS m ON m.id = message_id"
    rows = await pool.fetch(f"{of_client} WHERE client_id = $1 AND content_hash IS NOT NULL", client)
    keys = [ContentKey(row["content_hash"]) for row in rows]
    await pool.execute("DELETE FROM messages_history WHERE client_id = $1", client)
    return list(await world.contents.forget(keys))


async def test_a_content_of_two_clients_stays_until_neither_needs_it(world: Files) -> None:
    world.web.answers |= {URL: JPEG, "https://cdn/2.jpg": JPEG, "https://cdn/own": PDF}
    await world.arrive(photo("1"), photo("3", "https://cdn/own"))
    await world.arrive(photo("2", "https://cdn/2.jpg", chat="chat-2", external_user_id="boris"))

    first = await erase(world, "chat-1")
    after_first = world.lying()
    second = await erase(world, "chat-2")

    assert first == [key_of(PDF)]
    assert after_first == [JPEG]
    assert second == [key_of(JPEG)]
    assert world.lying() == []
    assert await world.here.rows("SELECT hash FROM contents") == []


async def test_what_a_crash_left_without_an_owner_is_swept(world: Files) -> None:
    """Stored ahead of a batch that was never resolved; not while somebody may still need it."""
    await world.contents.keep(JPEG, "image/jpeg")
    await world.loop.round()
    early = world.lying()
    world.pass_time(1_000)
    await world.loop.round()

    assert (early, world.lying()) == ([JPEG], [])


async def test_a_content_that_is_wanted_while_it_is_removed_is_there_in_the_end(world: Files) -> None:
    """Writers and removers of one content in every order: never a row without its bytes."""
    for number in range(30):
        world.web.answers[URL] = JPEG
        await asyncio.gather(
            world.contents.forget([key_of(JPEG)]),
            world.arrive(photo(f"p{number}", chat=f"chat-{number}")),
            world.contents.forget([key_of(JPEG)]),
        )
        await world.loop.round()
        assert await world.here.rows(
            "SELECT count(*) FROM media WHERE state <> 'stored' AND state <> 'waiting'"
        ) == [(0,)]
        if await world.here.value("SELECT count(*) FROM contents"):
            assert world.lying() == [JPEG]
        await erase(world, f"chat-{number}")
        assert world.lying() == []


async def test_a_file_whose_client_is_erased_while_it_comes_is_not_left_behind(world: Files) -> None:
    world.web.answers[URL] = JPEG
    await world.missed(photo("1"))
    now = world.contents.now()
    [claimed] = await media_rows.claim(world.here.pool, now=now, until=now, most=1)
    await erase(world, "chat-1")

    await world.loop._fetch_one(claimed)

    assert world.lying() == []


async def test_a_content_that_vanished_is_fetched_again(world: Files) -> None:
    world.web.answers[URL] = JPEG
    await world.missed(photo("1"))
    now = world.contents.now()
    [claimed] = await media_rows.claim(world.here.pool, now=now, until=now, most=1)

    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await media_rows.link(world.here.pool, claimed.id, key_of(JPEG), now=now)

    await world.loop.round()
    assert await world.states() == ["stored"]


async def test_a_key_that_is_gone_when_the_batch_is_resolved_costs_no_turn(world: Files) -> None:
    world.web.answers[URL] = JPEG
    completed, context = await FactsAndFiles(NoFacts(), world.keeping).enrich([photo("1")])
    await world.here.pool.execute("UPDATE contents SET busy_until = stored_at")
    await world.contents.forget([key_of(JPEG)])

    await resolve_batch(world.here.pool, batch(*completed, context=context), now=world.here.now)

    assert await world.states() == ["waiting"]


async def test_a_voice_note_without_a_transcriber_is_told_and_linked(world: Files) -> None:
    world.web.answers["https://cdn/v.wav"] = wav()

    [shown] = await world.shown(await world.arrive(voice("1")))

    view = message_view(shown, world.links)
    assert (view.voice_note, view.voice_transcript_untrusted) == ("untranscribed", "")
    assert view.voice_url.startswith(ORIGIN)
    assert history_line(shown, world.links).text_untrusted == "[voice note, not transcribed]"
    assert voice_note(shown) == "untranscribed"
