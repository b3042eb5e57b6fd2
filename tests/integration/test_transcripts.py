"""Voice notes: heard in time or later, once per sound, and never in the way of a turn."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.errors import AuthFailed, ChannelError, RateLimited, Rejected, VendorDown
from orchestrator.content_store import key_of
from orchestrator.hub_files import transcript, voice_note
from orchestrator.hub_views import history_line, message_view
from orchestrator.turns import Committed, Seen, Superseded
from tests.integration.media_fixture import ORIGIN, WAIT, FakeTranscriber, Files, files, voice, wav
from tests.integration.test_resolve_scene import message

URL = "https://cdn/v.wav"
WORDS = "сколько стоит экран?"


@pytest.fixture
def ear() -> FakeTranscriber:
    return FakeTranscriber()


@pytest.fixture
async def world(database_url: str, tmp_path: Path, ear: FakeTranscriber) -> AsyncIterator[Files]:
    async with files(database_url, tmp_path, transcriber=ear) as made:
        made.web.answers[URL] = wav()
        yield made


async def settled(world: Files) -> None:
    """Everything that is under way is done."""
    async with asyncio.timeout(5):
        while world.transcripts._under_way:
            await asyncio.wait(list(world.transcripts._under_way.values()))


@pytest.mark.promise("voice")
async def test_a_voice_note_is_in_the_turn_with_its_words_and_its_link(world: Files) -> None:
    [shown] = await world.shown(await world.arrive(voice("1")))

    view = message_view(shown, world.links)
    assert (view.voice_note, view.voice_transcript_untrusted) == ("transcribed", WORDS)
    assert view.voice_url.startswith(ORIGIN)
    assert history_line(shown, world.links).text_untrusted == WORDS
    assert await world.voice_text() == WORDS
    assert world.counted("transcriptions", "done") == 1


@pytest.mark.promise("voice")
@pytest.mark.promise("media-never-blocks")
async def test_words_that_come_late_are_added_to_the_history_and_seen(
    world: Files, ear: FakeTranscriber
) -> None:
    """The turn did not wait for them beyond the bound; who looks again has them."""
    ear.held.clear()
    async with asyncio.timeout(10):
        resolved = await world.arrive(voice("1"), message("2", "Алло?"))
    [early, _] = await world.shown(resolved)

    ear.held.set()
    await settled(world)

    [late, _] = await world.shown(resolved)
    assert message_view(early, world.links).voice_note == "pending"
    assert message_view(late, world.links).voice_transcript_untrusted == WORDS
    assert (
        await world.here.value(
            "SELECT media ->> 'voice_transcribed_text' FROM messages_history ORDER BY id LIMIT 1"
        )
        == WORDS
    )
    assert len(ear.heard) == 1


@pytest.mark.promise("voice")
async def test_an_agent_at_work_hears_of_late_words_before_its_reply_goes_out(
    world: Files, ear: FakeTranscriber
) -> None:
    """ "I cannot hear you" is not said to who was heard meanwhile."""
    ear.held.clear()
    await world.arrive(voice("1"))
    turn = await world.here.leased()
    ear.held.set()
    await settled(world)

    seen = Seen(turn.turn.latest_message_id)
    refused = await world.here.reply(turn, "Напишите, пожалуйста, словами", seen=seen)

    assert isinstance(refused, Superseded)
    [told] = refused.new_messages
    assert message_view(told, world.links).voice_transcript_untrusted == WORDS
    assert isinstance(
        await world.here.reply(turn, "7 900 ₽", seen=Seen(told.number)),
        Committed,
    )


async def test_late_words_and_an_agents_reply_never_stand_in_each_others_way(
    world: Files, ear: FakeTranscriber
) -> None:
    """Replies, edits and words of one chat at the same moment: no deadlock, and each has happened."""
    for number in range(15):
        url = f"https://cdn/{number}.wav"
        world.web.answers |= {url: wav(tone=number), f"{url}?2": wav(tone=number)}
        ear.held.clear()
        await world.arrive(voice(f"v{number}", url))
        turn = await world.here.leased()
        ear.held.set()
        edit = voice(f"v{number}", f"{url}?2").model_copy(update={"event": "edit"})
        _, outcome, _ = await asyncio.gather(
            settled(world), world.here.reply(turn, "Да", seen=Seen(force=True)), world.here.resolve(edit)
        )
        assert isinstance(outcome, Committed)


async def test_words_that_come_while_the_message_is_written_are_in_it(
    world: Files, ear: FakeTranscriber
) -> None:
    """The words are saved and the message is written at the same moment, in either order."""
    for number in range(20):
        url = f"https://cdn/{number}.wav"
        world.web.answers[url] = wav(tone=number)
        ear.held.clear()
        arriving = asyncio.create_task(world.arrive(voice(str(number), url, voice_seconds=number)))
        await asyncio.sleep(WAIT + number * 0.002)
        ear.held.set()
        await arriving
        await settled(world)

    missing = "SELECT count(*) FROM messages_history WHERE media ->> 'voice_transcribed_text' IS NULL"
    assert await world.here.value(missing) == 0


@pytest.mark.promise("voice")
async def test_the_vendors_own_words_are_taken_and_nobody_is_asked(
    world: Files, ear: FakeTranscriber
) -> None:
    """MAX and VK hear voice notes themselves."""
    [shown] = await world.shown(await world.arrive(voice("1", voice_transcribed_text="по словам VK")))
    await world.loop.round()

    assert ear.heard == []
    assert message_view(shown, world.links).voice_transcript_untrusted == "по словам VK"
    assert voice_note(shown) == "transcribed"


@pytest.mark.promise("voice-once")
async def test_one_sound_is_heard_once(world: Files, ear: FakeTranscriber) -> None:
    """Forwarded to three chats, by several workers, repeated by a crash between storing and writing."""
    world.web.answers |= {f"https://cdn/{number}": wav() for number in range(3)}
    given = [
        voice(str(number), f"https://cdn/{number}").model_copy(update={"external_chat_id": f"chat-{number}"})
        for number in range(3)
    ]

    await asyncio.gather(*(world.arrive(one) for one in given))
    await world.arrive(given[0])
    await asyncio.gather(world.replica().round(), world.replica().round())
    await settled(world)

    assert len(ear.heard) == 1
    texts = "SELECT DISTINCT media ->> 'voice_transcribed_text' FROM messages_history"
    assert await world.here.rows(texts) == [(WORDS,)]


@pytest.mark.promise("voice-once")
async def test_a_transcription_whose_process_died_is_begun_again_when_its_lease_ends(
    world: Files, ear: FakeTranscriber
) -> None:
    key = await world.contents.keep(wav(), "audio/wav")
    ends = world.contents.now() + timedelta(seconds=120)
    await world.here.pool.execute(
        "UPDATE contents SET transcript_state = 'waiting', transcript_due_at = $1", ends
    )
    await world.loop.round()
    early = len(ear.heard)
    world.pass_time(120)
    await world.loop.round()

    assert (early, len(ear.heard)) == (0, 1)
    assert (await world.transcripts.of(key)).text == WORDS


@pytest.mark.promise("voice")
@pytest.mark.parametrize(
    ("error", "state", "asked"),
    [
        (Rejected("no speech in it"), "failed", 1),
        (VendorDown("away"), "failed", 6),
        (RateLimited("busy", retry_after=7.0), "failed", 6),
        (AuthFailed("the key"), "failed", 6),
    ],
)
async def test_a_note_that_nobody_can_hear_is_said_to_have_failed(
    world: Files, ear: FakeTranscriber, error: ChannelError, state: str, asked: int
) -> None:
    """Not at once where asking again may help: until then it is pending."""
    ear.error = error
    resolved = await world.arrive(voice("1"))
    [first] = await world.shown(resolved)
    for _ in range(20):
        world.pass_time(1800)
        await world.loop.round()

    [shown] = await world.shown(resolved)
    view = message_view(shown, world.links)
    assert voice_note(first) == ("failed" if asked == 1 else "pending")
    assert (view.voice_note, view.voice_transcript_untrusted) == (state, "")
    assert view.voice_url.startswith(ORIGIN)
    assert len(ear.heard) == asked


async def test_a_wait_that_the_service_names_is_kept(world: Files, ear: FakeTranscriber) -> None:
    ear.error = RateLimited("busy", retry_after=600)
    await world.arrive(voice("1"))
    world.pass_time(300)
    await world.loop.round()
    early = len(ear.heard)
    ear.error = None
    world.pass_time(301)
    await world.loop.round()

    assert (early, len(ear.heard)) == (1, 2)
    assert await world.voice_text() == WORDS


async def test_a_note_in_which_nothing_is_said_is_heard_and_empty(world: Files, ear: FakeTranscriber) -> None:
    ear.text = ""
    resolved = await world.arrive(voice("1"))
    await world.loop.round()

    [shown] = await world.shown(resolved)
    assert (voice_note(shown), transcript(shown)) == ("transcribed", "")
    assert len(ear.heard) == 1


async def test_what_is_no_sound_is_never_sent_to_be_heard(world: Files, ear: FakeTranscriber) -> None:
    """The vendor called a picture a voice note."""
    world.web.answers[URL] = b"\xff\xd8\xff\xe0 a picture"

    [shown] = await world.shown(await world.arrive(voice("1")))

    assert ear.heard == []
    assert voice_note(shown) == "untranscribed"


async def test_words_go_with_the_last_message_that_needs_the_sound(world: Files) -> None:
    """Erasure of a client leaves no transcript behind."""
    await world.arrive(voice("1"))
    await world.here.pool.execute("DELETE FROM messages_history")
    await world.contents.forget([key_of(wav())])

    assert await world.here.rows("SELECT transcript FROM contents") == []


@pytest.mark.promise("voice")
async def test_a_deleted_note_shows_neither_words_nor_link(world: Files) -> None:
    resolved = await world.arrive(voice("1"), message("2", "Цена?"))
    await world.here.resolve(message("1", event="delete", second=9))

    shown = message_view((await world.shown(resolved))[0], world.links)

    assert (shown.voice_note, shown.voice_transcript_untrusted, shown.voice_url) == ("", "", "")
