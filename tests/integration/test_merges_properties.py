"""Whatever two clients have: to merge and to separate them again is to have done nothing.

A story is played by the system's own doors on a real PostgreSQL; then two of its clients are merged and
separated, and every row of every table must be what it was. With more of the story in between, every piece
must be with the side whose handle it came by.
"""

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.appeal_changes import close_appeal
from orchestrator.batching import ChatContext
from orchestrator.merges import merge, unmerge
from orchestrator.store.errors import MergeRefused
from orchestrator.turns import release
from tests.integration.test_merges import everything
from tests.integration.test_resolve_scene import Scene, message, scene

PHONES = ("+79160000001", "+79160000002")
#: Who writes: a handle of each channel; two chats are groups in which several write.
WHO = ("a", "b", "c")
CHATS = ("own", "own", "second", "group")
CHANNELS = ("avito", "telegram", "whatsapp", "form")

said = st.fixed_dictionaries(
    {
        "who": st.sampled_from(WHO),
        "chat": st.sampled_from(CHATS),
        "channel": st.sampled_from(CHANNELS),
        "account": st.sampled_from(["default", "default", "shop"]),
        "event": st.sampled_from(["message"] * 4 + ["operator_message", "postback"]),
        "phone": st.sampled_from([None, None, *PHONES]),
        "text": st.sampled_from(["Здравствуйте", f"Мой номер {PHONES[0]}"]),
        "name": st.sampled_from([None, "Анна Ким", "Борис"]),
    }
)
moves = st.one_of(said, said, st.sampled_from(["answer", "lease", "release", "close", "later"]))
stories = st.lists(moves, min_size=3, max_size=12)
PROPERTY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Story:
    """Plays moves; every message has a number of its own."""

    def __init__(self, here: Scene) -> None:
        self.here = here
        self.number = 0
        self.leased: list[Any] = []

    async def play(self, story: Sequence[Any]) -> None:
        for move in story:
            self.here.pass_time(10)
            if isinstance(move, dict):
                await self._say(**move)
            else:
                await getattr(self, f"_{move}")()

    async def _say(self, who: str, chat: str, channel: str, phone: str | None, **more: Any) -> None:
        self.number += 1
        place = "group" if chat == "group" else f"{chat}-of-{who}"
        told: dict[str, Any] = {"channel": channel, "client_name": more["name"], "account": more["account"]}
        if more["event"] != "operator_message":
            told["client_phone"] = phone
        one = message(
            str(self.number),
            more["text"],
            second=self.number,
            chat=place,
            external_user_id=who,
            event=more["event"],
            **told,
        )
        await self.here.resolve(one, context=ChatContext(client_username=f"name_of_{who}"))

    async def _lease(self) -> None:
        turn = await self.here.lease()
        if turn is not None:
            self.leased.append(turn)

    async def _answer(self) -> None:
        await self._lease()
        if self.leased:
            await self.here.reply(self.leased.pop(), f"answer {self.number}")

    async def _release(self) -> None:
        if self.leased:
            await release(self.here.pool, self.leased.pop().lease, now=self.here.now)

    async def _close(self) -> None:
        case = await self.here.value("SELECT min(id) FROM appeals WHERE closed_at IS NULL")
        if case is not None:
            await close_appeal(self.here.pool, case, reason="done", now=self.here.now)

    async def _later(self) -> None:
        self.here.pass_time(20 * 24 * 3600)


async def empty(here: Scene) -> None:
    await here.pool.execute(
        "TRUNCATE clients, identities, appeals, turns, messages_history, outbound, link_suggestions, "
        "client_merges CASCADE"
    )


async def clients(here: Scene) -> list[int]:
    return [client for (client,) in await here.rows("SELECT id FROM clients ORDER BY id")]


@pytest.mark.promise("unmerge")
@PROPERTY
@given(stories, st.booleans())
def test_to_merge_and_to_separate_is_to_have_done_nothing(
    database_url: str, story: list[Any], the_other_way: bool
) -> None:
    async def play() -> None:
        async with scene(database_url, connections=2) as here:
            await empty(here)
            await Story(here).play(story)
            found = await clients(here)
            for winner, loser in pairwise(found):
                pair = (loser, winner) if the_other_way else (winner, loser)
                before = await everything(here)
                here.pass_time(10)
                one = await merge(here.pool, *pair, now=here.now)
                here.pass_time(10)
                await unmerge(here.pool, one.id, now=here.now)
                assert await everything(here) == before

    asyncio.run(play())


@pytest.mark.promise("unmerge")
@PROPERTY
@given(stories)
def test_a_chain_of_merges_taken_back_is_to_have_done_nothing(database_url: str, story: list[Any]) -> None:
    async def play() -> None:
        async with scene(database_url, connections=2) as here:
            await empty(here)
            await Story(here).play(story)
            before, found, done = await everything(here), await clients(here), []
            for loser, winner in pairwise(found):
                here.pass_time(10)
                done.append(await merge(here.pool, winner, loser, now=here.now))
            for one in done[:-1]:
                with pytest.raises(MergeRefused, match="first"):
                    await unmerge(here.pool, one.id, now=here.now)
            for one in reversed(done):
                await unmerge(here.pool, one.id, now=here.now)
            assert await everything(here) == before

    asyncio.run(play())


OWNERS = """
SELECT m.id, m.client_id, i.client_id FROM messages_history AS m
JOIN identities AS i USING (channel, account, external_user_id)
WHERE m.client_id <> i.client_id"""
OF_TURNS = """
SELECT t.id FROM turns AS t WHERE t.client_id <> (
    SELECT m.client_id FROM messages_history AS m WHERE m.turn_id = t.id ORDER BY m.id LIMIT 1
)"""
OF_ANSWERS = """
SELECT o.id FROM outbound AS o JOIN turns AS t ON t.id = o.turn_id WHERE t.client_id <> o.client_id"""
OF_CASES = """
SELECT m.id FROM messages_history AS m JOIN appeals AS a ON a.id = m.appeal_id
WHERE m.client_id <> a.client_id AND m.sender = 'customer'"""
OF_FACTS = """
SELECT f.id FROM client_facts AS f JOIN identities AS i USING (channel, account, external_user_id)
WHERE f.client_id <> i.client_id"""


@pytest.mark.promise("unmerge")
@PROPERTY
@given(stories, stories)
def test_whatever_comes_meanwhile_goes_to_the_side_whose_handle_it_came_by(
    database_url: str, first: list[Any], meanwhile: list[Any]
) -> None:
    async def play() -> None:
        async with scene(database_url, connections=2) as here:
            await empty(here)
            story = Story(here)
            await story.play(first)
            found = await clients(here)
            if len(found) < 2:
                return
            pair = (found[0], found[-1])
            of_handles = "SELECT id, client_id FROM identities WHERE created_at <= $1 ORDER BY id"
            handles, merged_at = await here.rows(of_handles, here.now), here.now
            one = await merge(here.pool, *pair, now=here.now)
            await story.play(meanwhile)
            kept = "SELECT id, message_text, external_chat_id FROM messages_history ORDER BY id"
            said = await here.rows(kept)

            await unmerge(here.pool, one.id, now=here.now)

            assert await here.rows(of_handles, merged_at) == handles
            assert await here.rows(kept) == said
            for wrong in (OWNERS, OF_TURNS, OF_ANSWERS, OF_CASES, OF_FACTS):
                assert await here.rows(wrong) == [], wrong

    asyncio.run(play())
