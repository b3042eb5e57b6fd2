"""Who writes: handles, phones, and the columns that follow them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from orchestrator.batching import ChatContext
from orchestrator.clients import get_client
from tests.integration.test_resolve_scene import Scene, message, scene


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    async with scene(database_url, connections=20) as opened:
        yield opened


COLUMNS = "SELECT telegram_id, avito_id, vk_id, whatsapp_id, max_id, instagram_id FROM clients WHERE id = $1"


async def test_a_stranger_becomes_a_client_with_what_the_channel_tells(here: Scene) -> None:
    resolved = await here.resolve(
        message("1", client_name="Анна", client_phone="+79161234567", client_email="anna@example.org")
    )

    client = await get_client(here.pool, resolved.client_id or 0)
    assert client is not None
    assert (client.name, client.phone, client.email) == ("Анна", "+79161234567", "anna@example.org")
    assert (client.avito_id, client.telegram_id) == ("anna", "")


async def test_the_same_handle_is_the_same_client(here: Scene) -> None:
    first = await here.resolve(message("1"))
    second = await here.resolve(message("2", chat="chat-2"))

    assert second.client_id == first.client_id


async def test_one_handle_of_two_accounts_is_two_clients(here: Scene) -> None:
    first = await here.resolve(message("1"))
    second = await here.resolve(message("1", account="second"))

    assert second.client_id != first.client_id


async def test_twenty_first_messages_at_once_make_one_client_and_one_appeal(here: Scene) -> None:
    """Each in a chat of its own: the chats' locks do not serialise them."""
    resolved = await asyncio.gather(
        *(here.resolve(message(str(n), chat=f"chat-{n}", client_phone="+79161234567")) for n in range(20))
    )

    assert len({one.client_id for one in resolved}) == 1
    assert len({one.appeal_id for one in resolved}) == 1
    assert await here.value("SELECT count(*) FROM clients") == 1
    assert await here.value("SELECT count(*) FROM identities") == 1


async def test_twenty_handles_with_one_phone_at_once_make_one_client(here: Scene) -> None:
    await asyncio.gather(
        *(
            here.resolve(
                message(
                    str(n),
                    chat=f"c{n}",
                    external_user_id=f"u{n}",
                    client_phone="+79161234567",
                    channel="whatsapp",
                )
            )
            for n in range(20)
        )
    )

    assert await here.value("SELECT count(*) FROM clients") == 1
    evidence = await here.rows("SELECT DISTINCT evidence FROM identities ORDER BY 1")
    assert evidence == [("vendor_account",), ("vendor_phone",)]


async def test_a_form_with_a_known_phone_is_that_client(here: Scene) -> None:
    known = await here.resolve(message("1", channel="telegram", client_phone="+79161234567"))
    form = await here.resolve(
        message(
            "f1", channel="form", external_user_id="+79161234567", client_phone="+79161234567", chat="form-1"
        )
    )

    assert form.client_id == known.client_id
    assert form.appeal_id != known.appeal_id
    assert await here.value("SELECT evidence FROM identities WHERE channel = 'form'") == "form_phone"


async def test_a_phone_that_is_not_e164_joins_nobody_and_is_kept_with_the_message(here: Scene) -> None:
    first = await here.resolve(message("1", client_phone="8 916 123"))
    second = await here.resolve(
        message("2", chat="chat-2", external_user_id="boris", client_phone="8 916 123")
    )

    assert second.client_id != first.client_id
    assert await here.rows("SELECT phone, meta->>'client_phone' FROM clients, messages_history LIMIT 1") == [
        (None, "8 916 123")
    ]


async def test_a_name_is_filled_in_once_and_not_overwritten(here: Scene) -> None:
    resolved = await here.resolve(message("1"))
    await here.resolve(message("2"), context=ChatContext(client_name="Анна"))
    await here.resolve(message("3", client_name="Somebody"))

    client = await get_client(here.pool, resolved.client_id or 0)
    assert client is not None
    assert client.name == "Анна"


async def test_a_name_of_a_hundred_thousand_letters_is_cut(here: Scene) -> None:
    resolved = await here.resolve(message("1", client_name="А" * 100_000))

    assert await here.value("SELECT length(name) FROM clients WHERE id = $1", resolved.client_id) == 200


async def test_an_operator_who_writes_first_leaves_a_chat_that_the_customer_joins(here: Scene) -> None:
    wrote = await here.resolve(message("1", event="operator_message", external_user_id="the-shop"))
    answered = await here.resolve(message("2", second=1))

    assert answered.client_id == wrote.client_id
    assert await here.rows("SELECT external_user_id FROM identities") == [("anna",)]


async def test_a_second_person_in_a_chat_is_another_client(here: Scene) -> None:
    anna = await here.resolve(message("1"))
    boris = await here.resolve(message("2", external_user_id="boris"))

    assert boris.client_id != anna.client_id


@pytest.mark.promise("no-mixing")
async def test_what_one_person_tells_in_a_group_is_not_another_ones(here: Scene) -> None:
    """Boris shares his number in a chat in which Anna has just written: she does not become him."""
    boris = await here.resolve(
        message("1", chat="of-boris", external_user_id="boris", client_phone="+79161234567")
    )
    anna = await here.resolve(
        message("2", chat="group"),
        message(
            "3",
            chat="group",
            second=1,
            external_user_id="boris",
            client_name="Борис",
            client_phone="+79161234567",
            client_email="boris@example.org",
        ),
    )

    client = await get_client(here.pool, anna.client_id or 0)
    assert client is not None
    assert client.id != boris.client_id
    assert (client.name, client.phone, client.email) == ("", "", "")


async def test_the_columns_follow_the_handles_as_they_come_move_and_go(here: Scene) -> None:
    anna, boris = [
        await here.value("INSERT INTO clients (name) VALUES ($1) RETURNING id", name)
        for name in ("Anna", "Boris")
    ]
    await here.pool.executemany(
        "INSERT INTO identities (client_id, channel, account, external_user_id, evidence) "
        "VALUES ($1, $2, $3, $4, '')",
        [(anna, "avito", "second", "a2"), (anna, "avito", "default", "a1"), (anna, "vk", "default", "v1")],
    )
    await here.pool.execute(
        "INSERT INTO identities (client_id, channel, account, external_user_id, evidence) "
        "SELECT $1, channel, 'default', channel || '-id', '' FROM unnest($2::text[]) AS channel",
        boris,
        ["telegram", "whatsapp", "max", "instagram", "form"],
    )
    assert await here.rows(COLUMNS, anna) == [(None, "a1", "v1", None, None, None)]
    assert await here.rows(COLUMNS, boris) == [
        ("telegram-id", None, None, "whatsapp-id", "max-id", "instagram-id")
    ]

    await here.pool.execute(
        "UPDATE identities SET client_id = $1 WHERE channel = 'vk' OR external_user_id = 'a1'", boris
    )
    assert await here.rows(COLUMNS, anna) == [(None, "a2", None, None, None, None)]
    assert await here.rows(COLUMNS, boris) == [
        ("telegram-id", "a1", "v1", "whatsapp-id", "max-id", "instagram-id")
    ]

    await here.pool.execute("DELETE FROM identities WHERE channel IN ('vk', 'max')")
    assert await here.rows(COLUMNS, boris) == [
        ("telegram-id", "a1", None, "whatsapp-id", None, "instagram-id")
    ]
    await here.pool.execute("DELETE FROM clients WHERE id = $1", boris)
    assert await here.value("SELECT count(*) FROM identities WHERE client_id = $1", boris) == 0


async def test_there_is_no_client_with_an_unknown_id(here: Scene) -> None:
    assert await get_client(here.pool, 404) is None
