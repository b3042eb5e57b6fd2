"""Whoever is merged with whom: an answer goes to the handle that was written from, and to nobody else."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.errors import Rejected
from core.messages import OutgoingMessage
from orchestrator import turns
from orchestrator.merges import merge, unmerge
from orchestrator.reach import NoWay
from orchestrator.store import outbound
from orchestrator.store.errors import WrongClient
from orchestrator.turns import Reply
from orchestrator.ways import Way
from tests.integration.test_hub import Agents, lease, opened
from tests.integration.test_resolve_scene import LEASE_SECONDS

SENT = "SELECT channel, account, external_chat_id, text FROM outbound ORDER BY seq"


@pytest.fixture
async def agents(redis_url: str, database_url: str) -> AsyncIterator[Agents]:
    async with opened(redis_url, database_url) as made:
        yield made


async def writes(agents: Agents, who: str, text: str = "Здравствуйте", **more: Any) -> int:
    await agents.customer(text, chat=f"chat-of-{who}", external_user_id=who, **more)
    client: int = await agents.here.value(
        "SELECT client_id FROM messages_history WHERE external_chat_id = $1 ORDER BY id DESC LIMIT 1",
        f"chat-of-{who}",
    )
    return client


async def sent(agents: Agents) -> list[tuple[Any, ...]]:
    return await agents.here.rows(SENT)


@pytest.mark.promise("own-handle")
async def test_after_a_merge_each_is_answered_where_they_wrote(agents: Agents) -> None:
    """A merge that sends the next reply to the wrong person: chatwoot#15359."""
    anna = await writes(agents, "anna")
    boris = await writes(agents, "boris")
    clara = await writes(agents, "clara", channel="vk", account="shop")
    await merge(agents.here.pool, anna, boris, now=agents.now)
    await merge(agents.here.pool, clara, anna, now=agents.now)
    await writes(agents, "boris", "Ещё вопрос")

    for _ in range(3):
        turn = await agents.turn()
        await agents.reply(turn, f"Ответ в {turn['chat_id']}")

    assert sorted(await sent(agents)) == [
        ("avito", "default", "chat-of-anna", "Ответ в chat-of-anna"),
        ("avito", "default", "chat-of-boris", "Ответ в chat-of-boris"),
        ("vk", "shop", "chat-of-clara", "Ответ в chat-of-clara"),
    ]


@pytest.mark.promise("own-handle")
async def test_a_turn_leased_before_a_merge_is_answered_where_it_was_written(agents: Agents) -> None:
    """The merge, and its undoing, come while an agent works: chatwoot#15359."""
    anna = await writes(agents, "anna")
    boris = await writes(agents, "boris")
    first, second = await agents.turn(), await agents.turn()

    one = await merge(agents.here.pool, anna, boris, now=agents.now)
    assert (await agents.reply(second, "Борису"))["status"] == "queued"
    await unmerge(agents.here.pool, one.id, now=agents.now)
    assert (await agents.reply(first, "Анне"))["status"] == "queued"

    assert await sent(agents) == [
        ("avito", "default", "chat-of-boris", "Борису"),
        ("avito", "default", "chat-of-anna", "Анне"),
    ]
    owners = await agents.here.rows("SELECT external_chat_id, client_id FROM outbound")
    assert dict(owners) == {"chat-of-anna": anna, "chat-of-boris": boris}


@pytest.mark.promise("own-handle")
async def test_what_is_written_to_a_chat_stays_there_after_a_merge(agents: Agents) -> None:
    """Outside of turns, too: chatwoot#15359."""
    anna = await writes(agents, "anna")
    boris = await writes(agents, "boris")
    await merge(agents.here.pool, anna, boris, now=agents.now)

    for who in ("boris", "anna"):
        await agents.call("send_message", channel="avito", chat_id=f"chat-of-{who}", text=f"Для {who}")

    assert [(chat, text) for _, _, chat, text in await sent(agents)] == [
        ("chat-of-boris", "Для boris"),
        ("chat-of-anna", "Для anna"),
    ]


async def form_and_chat(agents: Agents) -> tuple[int, int]:
    """Anna has filled in a form and is nowhere else; Boris has a chat on Avito."""
    boris = await writes(agents, "boris")
    await agents.reply(await agents.turn(), "Добрый день")
    phone = "+79161234567"
    await agents.customer("Заявка", chat=phone, channel="form", external_user_id=phone, client_phone=phone)
    anna: int = await agents.here.value("SELECT client_id FROM messages_history WHERE channel = 'form'")
    return anna, boris


@pytest.mark.promise("own-handle")
async def test_a_way_that_was_found_for_two_in_one_is_not_gone_after_they_are_separated(
    agents: Agents,
) -> None:
    """Between the look for a way and the reply the merge is undone: the chat is a stranger's now."""
    anna, boris = await form_and_chat(agents)
    one = await merge(agents.here.pool, anna, boris, now=agents.now)
    leased = await turns.lease_next_turn(
        agents.here.pool, agent="a", lease_seconds=LEASE_SECONDS, now=agents.now
    )
    assert leased is not None
    way = Way("avito", "default", "chat-of-boris")
    asked = {"channel": "form", "external_chat_id": "+79161234567", "text": "Анне"}

    await unmerge(agents.here.pool, one.id, now=agents.now)

    with pytest.raises(WrongClient):
        await turns.commit_reply(agents.here.pool, leased.lease, Reply("Анне", way=way), now=agents.now)
    with pytest.raises(WrongClient):
        await outbound.insert_outbound(
            agents.here.pool, OutgoingMessage.model_validate(asked), origin="tool", now=agents.now, way=way
        )
    assert len(await sent(agents)) == 1


@pytest.mark.promise("own-handle")
async def test_a_form_is_answered_in_the_chat_of_who_it_was_merged_with_and_no_longer_after(
    agents: Agents,
) -> None:
    """While they are one person, that person's chat is a way; afterwards it is a stranger's."""
    anna, boris = await form_and_chat(agents)
    one = await merge(agents.here.pool, anna, boris, now=agents.now)
    turn = await agents.turn()
    assert turn["replies_via"] == "avito"
    await agents.reply(turn, "Анне")
    assert (await sent(agents))[-1] == ("avito", "default", "chat-of-boris", "Анне")

    await unmerge(agents.here.pool, one.id, now=agents.now)

    await agents.customer("Ещё заявка", chat="+79161234567", channel="form", external_user_id="+79161234567")
    again = await agents.turn()
    assert (again["client_id"], again["can_reply"], again["replies_via"]) == (str(anna), False, "")
    cases = await agents.here.rows("SELECT DISTINCT client_id, channel, external_chat_id FROM appeals")
    assert sorted(cases) == [(boris, "avito", "chat-of-boris"), (anna, "form", "+79161234567")]
    left = await agents.here.rows(
        "SELECT m.client_id FROM messages_history AS m JOIN appeals AS a ON a.id = m.appeal_id "
        "WHERE a.client_id <> m.client_id AND m.sender = 'customer'"
    )
    assert left == []


async def test_an_agent_whose_way_was_overtaken_is_told_to_call_again(agents: Agents) -> None:
    anna, boris = await form_and_chat(agents)
    one = await merge(agents.here.pool, anna, boris, now=agents.now)
    turn = await agents.turn()

    class Slow:
        """Looks a way up, and the merge is undone before it answers."""

        async def way(self, client_id: int) -> Way | NoWay:
            found = await agents.reach.way(client_id)
            await unmerge(agents.here.pool, one.id, now=agents.now)
            return found

    operations = {each.name: each for each in agents.replica(reach=Slow()).operations()}
    with pytest.raises(Rejected, match="call once more"):
        await operations["reply"].call({**lease(turn), "text": "Анне"})
    assert len(await sent(agents)) == 1
