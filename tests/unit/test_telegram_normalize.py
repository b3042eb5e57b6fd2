"""What Telegram's updates mean: one pair of files per kind and quirk, and nothing that makes it crash."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.channel import Normalized
from core.echoes import IMAGE_FINGERPRINT
from core.messages import IncomingMessage
from mcp_telegram.normalize import IMAGE_MARK
from mcp_telegram.schemas import Place
from tests.contract.telegram_side import TelegramSide

PAYLOADS = Path(__file__).parent.parent / "payloads" / "telegram"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in PAYLOADS.glob("*.expected.json"))
#: Updates that are documented to need no memory.
SILENT = {"probe", "business_our_edit"}

wild_text = st.text(st.characters(exclude_categories=()), max_size=20) | st.just("https://a\0")
keys = wild_text | st.sampled_from(
    ["message", "chat", "id", "from", "text", "photo", "file_id", "message_id"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | wild_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def meaning(body: Any) -> Normalized:
    return TelegramSide().meaning_of(body)


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))


def test_every_payload_has_its_expectation() -> None:
    bodies = {path.name.removesuffix(".json") for path in PAYLOADS.glob("*.json")} - {
        f"{name}.expected" for name in NAMES
    }

    assert bodies == set(NAMES)


def test_only_what_is_documented_as_silent_leaves_no_trace() -> None:
    assert {name for name in NAMES if meaning(payload(name)) == Normalized()} == SILENT


def test_every_event_of_all_files_has_a_key_of_its_own() -> None:
    """Different events, or one that stands in several files because Telegram says it twice."""
    told = [
        (arrival.event_key, arrival.message.event, arrival.message.external_message_id)
        for name in NAMES
        for arrival in meaning(payload(name)).arrivals
    ]

    assert len({key for key, _, _ in told}) == len(set(told))


def test_telegrams_own_payload_is_kept_for_study() -> None:
    body = payload("album_first")

    assert meaning(body).arrivals[0].message.meta.raw == body["message"]


def test_the_id_of_a_press_is_in_its_raw_body_too() -> None:
    arrival = meaning(payload("press")).arrivals[0]

    assert arrival.message.external_message_id == f"press:{arrival.message.meta.raw['id']}"


def test_nul_is_kept_out_of_the_raw_body_too() -> None:
    """PostgreSQL stores NUL in no JSON."""
    assert meaning(payload("text_with_nul")).arrivals[0].message.meta.raw["text"] == "допосле"


def test_the_same_number_in_two_chats_is_two_messages() -> None:
    """Telegram counts per chat, and a business chat has the number of the bot's chat (§4)."""
    body = payload("text")
    business = {"business_connection_id": "bcAAAAexample", **body["message"]}
    both = [meaning(body), meaning({"update_id": 1, "business_message": business})]

    assert len({one.arrivals[0].event_key for one in both}) == 2
    assert len({one.arrivals[0].message.external_message_id for one in both}) == 2


def test_what_a_chat_is_called_is_what_a_send_takes() -> None:
    for name in NAMES:
        for arrival in meaning(payload(name)).arrivals:
            chat_id = arrival.message.external_chat_id
            assert Place.read(chat_id).chat_id == chat_id


def test_half_an_emoji_is_no_crash_and_no_loss() -> None:
    body = payload("text")
    body["message"]["text"] = "a\ud83d"

    assert meaning(body).arrivals[0].message.text == "a�"


def test_a_reason_does_not_repeat_the_customers_words() -> None:
    body = payload("text")
    body["message"]["chat"] = "my secret words"

    assert meaning(body).unknown.startswith("chat: ")
    assert "secret" not in meaning(body).unknown


@given(anything)
def test_no_body_makes_it_crash_or_is_lost(body: Any) -> None:
    _nothing_is_lost(body)


@given(st.sampled_from(sorted(set(NAMES) - SILENT)), st.data())
def test_no_mutation_makes_it_crash_or_is_lost(name: str, data: st.DataObject) -> None:
    """One place of a real update, however deep, holds something else."""
    body = payload(name)
    places = list(_places(body))
    holder, key = data.draw(st.sampled_from(places)) if places else (None, None)
    if holder is not None:
        holder[key] = data.draw(anything)

    _nothing_is_lost(body)


@given(st.sampled_from(sorted(set(NAMES) - SILENT)), st.data())
def test_no_missing_field_makes_it_crash_or_is_lost(name: str, data: st.DataObject) -> None:
    body = payload(name)
    if places := [(holder, key) for holder, key in _places(body) if isinstance(holder, dict)]:
        holder, key = data.draw(st.sampled_from(places))
        del holder[key]

    _nothing_is_lost(body)


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield value, key
        yield from _places(item)


def _nothing_is_lost(body: Any) -> None:
    """Arrivals that survive the queue, or a reason; silence only for our own edits and for {}."""
    result = meaning(body)
    for arrival in result.arrivals:
        stored = arrival.message.model_dump_json()
        assert "\\u0000" not in stored
        assert IncomingMessage.model_validate_json(stored).external_message_id
        assert arrival.event_key
    if not (result.arrivals or result.unknown):
        assert body == {} or "sender_business_bot" in json.dumps(body)


def test_a_picture_is_marked_as_the_senders_mark_it() -> None:
    assert IMAGE_MARK == IMAGE_FINGERPRINT


@pytest.mark.promise("attested")
def test_an_operator_who_shares_their_own_contact_does_not_give_the_customer_their_phone() -> None:
    """In a business chat the owner writes by hand; a card with their own id is no word on the customer."""
    body = payload("business_owner_text")
    owner = body["business_message"]["from"]
    card = {"phone_number": "79030000009", "first_name": "Shop", "user_id": owner["id"]}
    body["business_message"] = {**body["business_message"], "contact": card}

    [arrival] = meaning(body).arrivals
    assert arrival.message.event == "operator_message"
    assert arrival.message.client_phone is None
