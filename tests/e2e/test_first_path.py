"""One message all the way: from the simulated Avito to the agent and back."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.agent import delivered, reply, shown, turn_of
from tests.system import System, patiently

pytestmark = pytest.mark.e2e


@pytest.mark.promise("one-turn")
def test_three_quick_messages_become_one_turn_and_one_reply(system: System, customer: str) -> None:
    """A burst is one thing said; the customer is answered once."""
    for text in ("Здравствуйте", "Сколько стоит замена экрана?", "iPhone 12"):
        system.write(customer, text=text)

    turn = turn_of(system, customer)
    result = reply(system, turn, "Замена экрана iPhone 12 стоит 7 900 ₽.")

    said = [message["text_untrusted"] for message in turn["messages"]]
    assert said == ["Здравствуйте", "Сколько стоит замена экрана?", "iPhone 12"]
    assert turn["ad_title_untrusted"]
    assert turn["ad_price_untrusted"]
    assert result["status"] == "queued"
    delivered(system, result["delivery_id"])
    assert shown(system, customer, 1) == ["Замена экрана iPhone 12 стоит 7 900 ₽."]


@pytest.mark.promise("complete")
def test_a_text_with_a_photo_and_a_voice_note_arrives_complete(system: System, customer: str) -> None:
    """Both links open; the agent needs no account of the vendor."""
    system.write(customer, text="Вот так выглядит", image=True, voice=True)

    turn = turn_of(system, customer)
    text, photo, voice = turn["messages"]

    assert text["text_untrusted"] == "Вот так выглядит"
    assert photo["type"] == "image"
    assert voice["type"] == "voice"
    [picture] = photo["image_urls"]
    for link in (picture, voice["voice_url"]):
        assert httpx.get(link).raise_for_status().content
    reply(system, turn, "Спасибо, посмотрим.")


@pytest.mark.promise("split")
@pytest.mark.promise("order")
def test_a_long_reply_arrives_in_order_in_three_parts(system: System, customer: str) -> None:
    """Avito takes 1,000 characters a message; sentences stay whole."""
    text = " ".join(f"Предложение номер {number} о ремонте телефонов." for number in range(60))[:2500]
    system.write(customer, text="Расскажите подробно")

    result = reply(system, turn_of(system, customer), text)
    delivered(system, result["delivery_id"])

    parts = shown(system, customer, 3)
    assert len(parts) == 3
    assert all(len(part) <= 1000 for part in parts)
    assert " ".join(parts) == text.strip()
    assert all(part.endswith(".") for part in parts[:2])


@pytest.mark.promise("repeat")
def test_a_webhook_repeated_five_times_is_one_message(
    system: System, customer: str, misbehave: Callable[..., None]
) -> None:
    """Vendors repeat; the agent must not see double."""
    misbehave(duplicate=5)
    system.write(customer, text="Один раз")

    turn = turn_of(system, customer)
    reply(system, turn, "Ответ")

    assert [message["text_untrusted"] for message in turn["messages"]] == ["Один раз"]
    assert shown(system, customer, 1) == ["Ответ"]


@pytest.mark.promise("echo")
def test_our_own_echo_is_no_message_but_an_operators_words_are_history(system: System, customer: str) -> None:
    """The vendor sends both back; only the person's words are news: the AI is silent until it may go on."""
    chat = system.write(customer, text="Вы открыты?")["chat_id"]
    reply(system, turn_of(system, customer), "Да, до восьми.")
    shown(system, customer, 1)
    system.post("sandbox", "/control/avito/operator/messages", {"chat": chat, "text": "Это мастер Иван."})
    _taken_over(system, chat)
    system.post("orchestrator", "/api/conversations/resume", {"channel": "avito", "chat_id": chat})
    system.write(customer, text="Спасибо!")

    turn = turn_of(system, customer)

    said = [(line["sender"], line["text_untrusted"]) for line in turn["history"]]
    assert said == [
        ("customer", "Вы открыты?"),
        ("agent", "Да, до восьми."),
        ("operator", "Это мастер Иван."),
    ]
    reply(system, turn, "Ждём вас.")


@pytest.mark.promise("fresh-reply")
def test_a_reply_that_missed_the_newest_message_is_refused_with_it(system: System, customer: str) -> None:
    """The customer wrote on while the agent was thinking; it answers everything at once."""
    system.write(customer, text="Сколько стоит экран?")
    turn = turn_of(system, customer)
    system.write(customer, text="Ой, батарея, а не экран")
    _gathered(system, customer, 2)

    refused = reply(system, turn, "Экран стоит 7 900 ₽.")
    again = reply(system, turn | {"lease_token": refused["lease_token"]}, "Батарея стоит 2 500 ₽.")

    assert refused["status"] == "superseded"
    assert [one["text_untrusted"] for one in refused["new_messages"]] == ["Ой, батарея, а не экран"]
    assert again["status"] == "queued"
    assert shown(system, customer, 1) == ["Батарея стоит 2 500 ₽."]


@pytest.mark.promise("one-reply")
def test_the_same_reply_twice_is_one_message(system: System, customer: str) -> None:
    """An agent whose connection broke repeats its call."""
    system.write(customer, text="Привет")
    turn = turn_of(system, customer)

    first = reply(system, turn, "Здравствуйте!")
    second = reply(system, turn, "Здравствуйте!")

    assert second["status"] == "already_answered"
    assert second["delivery_id"] == first["delivery_id"]
    delivered(system, first["delivery_id"])
    assert shown(system, customer, 1) == ["Здравствуйте!"]


@pytest.mark.promise("unknown")
def test_a_send_whose_answer_was_lost_is_looked_up_and_seen_once(
    system: System, customer: str, misbehave: Callable[..., None]
) -> None:
    """Avito took the message and then failed: the history tells, nothing is sent twice."""
    system.write(customer, text="Дойдёт?")
    turn = turn_of(system, customer)
    misbehave(drop_after_storing=1)

    result = reply(system, turn, "Дойдёт один раз.")

    delivered(system, result["delivery_id"], seconds=40)
    assert shown(system, customer, 1) == ["Дойдёт один раз."]


def test_a_rate_limit_is_waited_out(system: System, customer: str, misbehave: Callable[..., None]) -> None:
    """429 means later, not never and not twice."""
    system.write(customer, text="Есть кто?")
    turn = turn_of(system, customer)
    misbehave(rate_limit={"calls": 2, "retry_after": 1})

    result = reply(system, turn, "Есть.")

    delivered(system, result["delivery_id"], seconds=30)
    assert shown(system, customer, 1) == ["Есть."]


def test_an_expired_token_is_renewed_in_passing(
    system: System, customer: str, misbehave: Callable[..., None]
) -> None:
    """Nobody notices that the vendor's token ended."""
    system.write(customer, text="Жду ответа")
    turn = turn_of(system, customer)
    misbehave(expired_token=403)

    delivered(system, reply(system, turn, "Вот он.")["delivery_id"])

    assert shown(system, customer, 1) == ["Вот он."]


@pytest.mark.promise("vendor-errors")
@pytest.mark.promise("order")
def test_a_plan_without_the_api_is_named_and_what_was_said_goes_out_once_it_is_paid(
    system: System, customer: str, misbehave: Callable[..., None]
) -> None:
    """The owner reads what is wrong; nothing is lost, doubled or out of order by then."""
    chat = system.write(customer, text="Алло")["chat_id"]
    turn = turn_of(system, customer)
    misbehave(plan=True)
    first = reply(system, turn, "Слушаю.")["delivery_id"]
    _refused(system, first, "plan_required")
    told = {"channel": "avito", "chat_id": chat, "text": "Мы открыты до восьми."}
    second = system.post("orchestrator", "/api/messages/send", told)["delivery_id"]
    assert system.seen_by(customer) == []

    misbehave(plan=False)

    for delivery in (first, second):
        assert delivered(system, delivery)["error_code"] == ""
    assert shown(system, customer, 2) == ["Слушаю.", "Мы открыты до восьми."]


def test_an_appeal_is_listed_read_and_closed(system: System, customer: str) -> None:
    """The next message within days opens it again; an answer makes it wait for the client."""
    system.write(customer, text="Первый вопрос")
    first = turn_of(system, customer)
    reply(system, first, "Ответ")
    closed = system.post("orchestrator", f"/api/appeals/{first['appeal_id']}/close", {"reason": "done"})
    system.write(customer, text="Второй вопрос")
    second = turn_of(system, customer)
    reply(system, second, "Ответ")
    listed = system.get("orchestrator", "/api/appeals", status="waiting_client", limit=100)["appeals"]

    assert closed["status"] == "resolved"
    assert second["appeal_id"] == first["appeal_id"]
    assert second["client_id"] == first["client_id"]
    assert second["appeal_id"] in [appeal["appeal_id"] for appeal in listed]


def _refused(system: System, delivery_id: str, code: str) -> None:
    """Wait until the delivery waits and tells why."""
    delivery: dict[str, Any] = {}
    for _ in patiently(20):
        delivery = system.get("orchestrator", f"/api/deliveries/{delivery_id}")
        if (delivery["state"], delivery["error_code"]) == ("queued", code):
            return
    raise AssertionError(f"not refused by {code}: {delivery}")


def _taken_over(system: System, chat: str) -> None:
    """Wait until the AI is silent in the chat."""
    for _ in patiently(20):
        paused = system.get("orchestrator", "/api/conversations/paused")["conversations"]
        if chat in [one["chat_id"] for one in paused]:
            return
    raise AssertionError(f"nobody took {chat} over")


def _gathered(system: System, customer: str, count: int) -> None:
    """Wait until our side has heard so many messages of the customer."""
    for _ in patiently(10):
        deliveries = system.get("sandbox", "/control/avito/deliveries", last=200)["deliveries"]
        chats = {one["id"] for one in _chats(system, customer)}
        heard = [one for one in deliveries if one["chat_id"] in chats and one["status"] == 200]
        if len(heard) >= count:
            return
    raise AssertionError("the webhook did not come")


def _chats(system: System, customer: str) -> list[dict[str, str]]:
    customers = system.get("sandbox", "/control/avito/customers")["customers"]
    return next(one["chats"] for one in customers if one["customer"] == customer)
