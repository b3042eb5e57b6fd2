"""Who is taken for whom: only what a messenger or a form attests joins; the rest is put to an operator."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.messages import Contact, Media
from orchestrator.batching import ChatContext
from orchestrator.clients import get_client
from orchestrator.facts import facts_of
from tests.integration.test_resolve_scene import Scene, message, scene

PHONE = "+79161234567"
SUGGESTED = "SELECT client_id, other_id, why, detail FROM link_suggestions ORDER BY id"


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Scene]:
    async with scene(database_url, connections=20) as opened:
        yield opened


async def attested(here: Scene, **more: Any) -> int:
    """A client on Telegram who has shared their own contact."""
    own: dict[str, Any] = {"external_user_id": "t1", "client_phone": PHONE, **more}
    return (await here.resolve(message("t", channel="telegram", chat="t1", **own))).client_id or 0


async def on_avito(here: Scene, text: str = "", **more: Any) -> int:
    return (await here.resolve(message("a", text, **more))).client_id or 0


@pytest.mark.promise("attested")
@pytest.mark.parametrize("channel", ["telegram", "whatsapp", "max", "form"])
async def test_a_phone_that_the_channel_attests_joins(here: Scene, channel: str) -> None:
    first = await attested(here)

    second = await here.resolve(
        message("2", channel=channel, chat="c2", external_user_id="u2", client_phone=PHONE)
    )

    assert second.client_id == first
    assert await here.rows(SUGGESTED) == []


@pytest.mark.promise("attested")
@pytest.mark.parametrize("channel", ["avito", "vk", "instagram"])
async def test_a_phone_on_a_channel_that_attests_none_is_a_suggestion(here: Scene, channel: str) -> None:
    """Whoever pushes such a message to the queue has read the number somewhere: in a text, in a CRM."""
    first = await attested(here)

    second = await here.resolve(
        message("2", channel=channel, chat="c2", external_user_id="u2", client_phone=PHONE)
    )

    assert second.client_id != first
    assert await here.rows(SUGGESTED) == [(first, second.client_id, "claimed_phone", PHONE)]


@pytest.mark.promise("attested")
@pytest.mark.parametrize("text", ["Мой номер 8 (916) 123-45-67", "+79161234567", "звоните: 8-916-123-45-67!"])
async def test_a_phone_that_is_typed_is_a_suggestion(here: Scene, text: str) -> None:
    first = await attested(here)

    second = await on_avito(here, text)

    assert second != first
    assert await here.rows(SUGGESTED) == [(first, second, "typed_phone", PHONE)]
    client = await get_client(here.pool, second)
    assert client is not None
    assert client.phone == ""


@pytest.mark.promise("attested")
@pytest.mark.parametrize("channel", ["telegram", "whatsapp", "max", "avito"])
async def test_a_card_of_a_third_person_joins_nobody(here: Scene, channel: str) -> None:
    first = await attested(here)
    card = Media(contacts=(Contact(name="Пётр", phone="8 916 123 45 67"),))

    second = await here.resolve(message("2", channel=channel, chat="c2", external_user_id="u2", media=card))

    assert second.client_id != first
    assert await here.rows(SUGGESTED) == [(first, second.client_id, "typed_phone", PHONE)]


@pytest.mark.promise("attested")
async def test_a_typed_phone_is_not_what_others_are_joined_by(here: Scene) -> None:
    """Boris writes Anna's number; when Anna comes with it she does not become Boris."""
    boris = await on_avito(here, f"Это номер жены {PHONE}")

    anna = await attested(here)

    assert anna != boris
    assert await here.rows(SUGGESTED) == [(boris, anna, "typed_phone", PHONE)]


async def test_a_number_that_two_have_typed_suggests_nothing(here: Scene) -> None:
    """It is the shop's own, say."""
    await on_avito(here, f"Звонил вам на {PHONE}")
    await here.resolve(message("2", f"Не отвечаете на {PHONE}", chat="c2", external_user_id="boris"))

    assert await here.rows(SUGGESTED) == []


async def test_two_clients_who_turn_out_to_have_one_phone_stay_two(here: Scene) -> None:
    """Both have a history; to join these is for a person to say."""
    first = await attested(here)
    second = (await here.resolve(message("1", channel="max", chat="m", external_user_id="m"))).client_id
    again = message("2", channel="max", chat="m", external_user_id="m", client_phone=PHONE, second=1)
    assert (await here.resolve(again)).client_id == second

    assert await here.rows(SUGGESTED) == [(first, second, "same_phone", PHONE)]


async def test_the_same_email_is_a_suggestion(here: Scene) -> None:
    form: dict[str, Any] = {"channel": "form", "client_email": "Anna@example.org"}
    first = await here.resolve(message("1", chat="f1", external_user_id="+79160000001", **form))
    second = await here.resolve(
        message("2", channel="vk", chat="v", external_user_id="v", client_email="anna@example.org")
    )

    assert second.client_id != first.client_id
    assert [why for *_, why, _ in await here.rows(SUGGESTED)] == ["same_email"]


async def test_the_same_public_name_on_two_messengers_is_a_suggestion(here: Scene) -> None:
    await here.resolve(message("1"), context=ChatContext(client_username="anna_k"))
    await here.resolve(
        message("2", channel="instagram", chat="i", external_user_id="i"),
        context=ChatContext(client_username="Anna_K"),
    )

    assert [why for *_, why, _ in await here.rows(SUGGESTED)] == ["same_username"]


@pytest.mark.promise("attested")
async def test_a_public_name_that_comes_with_the_message_is_the_messengers_word(here: Scene) -> None:
    """It joins nobody; and in a group another person's is not the customer's."""
    first = await here.resolve(
        message("1", channel="telegram", chat="g", external_user_id="anna", client_username="anna_k"),
        message("2", channel="telegram", chat="g", external_user_id="boris", client_username="boris"),
    )
    second = await here.resolve(
        message("3", channel="max", chat="m", external_user_id="m", client_username="Anna_K")
    )

    facts = await facts_of(here.pool, first.client_id or 0)
    told = [(one.kind, one.value, one.evidence, one.external_user_id) for one in facts]
    assert told == [("username", "anna_k", "vendor", "anna")]
    assert second.client_id not in (None, first.client_id)
    assert [why for *_, why, _ in await here.rows(SUGGESTED)] == ["same_username"]


async def test_the_names_of_who_is_not_the_customer_are_not_the_customers(here: Scene) -> None:
    """Another bot in the group speaks alone: its notice has no customer."""
    client = (await here.resolve(message("1", channel="telegram", chat="g"))).client_id or 0
    bot = message("2", channel="telegram", chat="g", event="notice", external_user_id="bot", second=1)
    named = {"client_name": "Helpful", "client_username": "helpful_bot"}
    await here.resolve(bot.model_copy(update=named))

    assert await facts_of(here.pool, client) == []


async def test_a_name_says_something_only_about_the_same_ad(here: Scene) -> None:
    ad: dict[str, Any] = {"meta": {"ad_id": "42"}}
    await on_avito(here, client_name="Анна Ким", **ad)
    await here.resolve(message("2", channel="vk", chat="v", external_user_id="v", client_name="Анна Ким"))
    assert await here.rows(SUGGESTED) == []

    await here.resolve(
        message("3", channel="max", chat="m", external_user_id="m", client_name="анна ким", **ad)
    )
    assert [why for *_, why, _ in await here.rows(SUGGESTED)] == ["same_name_and_ad"]


async def test_a_pair_is_suggested_once(here: Scene) -> None:
    await attested(here)
    await on_avito(here, PHONE)
    await here.pool.execute("UPDATE link_suggestions SET state = 'dismissed', decided_at = now()")

    await here.resolve(message("b", f"Ещё раз: {PHONE}", second=1, client_email="anna@example.org"))

    assert await here.value("SELECT count(*) FROM link_suggestions") == 1
    assert await here.value("SELECT state FROM link_suggestions") == "dismissed"


async def test_what_the_vendor_shared_last_is_the_phone(here: Scene) -> None:
    """The first word on a name stands, but a new number is where they are called now."""
    anna = await attested(here, client_name="Анна")
    new = "+79167654321"

    for number, phone in (("1", new), ("2", PHONE), ("3", new)):
        here.pass_time(10)
        told: dict[str, Any] = {"client_phone": phone, "client_name": f"Имя {number}"}
        told["external_user_id"] = "t1"
        await here.resolve(message(number, channel="telegram", chat="t1", second=int(number), **told))

    client = await get_client(here.pool, anna)
    assert client is not None
    assert (client.name, client.phone) == ("Анна", new)
    known = [(fact.kind, fact.value, fact.evidence) for fact in await facts_of(here.pool, anna)]
    assert known[-2:] == [("phone", new, "vendor"), ("phone", PHONE, "vendor")]
    assert ("name", "Имя 3", "vendor") in known


async def test_a_form_does_not_replace_what_the_vendor_attests(here: Scene) -> None:
    anna = await attested(here)
    form: dict[str, Any] = {"channel": "form", "chat": "f", "external_user_id": PHONE, "client_phone": PHONE}
    await here.resolve(message("f", **form))

    assert await here.value("SELECT phone FROM clients WHERE id = $1", anna) == PHONE
    evidence = [fact.evidence for fact in await facts_of(here.pool, anna) if fact.kind == "phone"]
    assert evidence == ["vendor", "form"]


async def test_what_the_messenger_tells_of_a_person_is_kept_with_who_said_it(here: Scene) -> None:
    context = ChatContext(
        client_name="Анна",
        client_username="anna_k",
        client_avatar_url="https://img.example/a.jpg",
        client_language="ru",
    )
    client = (await here.resolve(message("1", account="second"), context=context)).client_id or 0

    facts = await facts_of(here.pool, client)
    assert {fact.kind: fact.value for fact in facts} == {
        "name": "Анна",
        "username": "anna_k",
        "avatar_url": "https://img.example/a.jpg",
        "language": "ru",
    }
    assert {(fact.channel, fact.account, fact.external_user_id) for fact in facts} == {
        ("avito", "second", "anna")
    }
