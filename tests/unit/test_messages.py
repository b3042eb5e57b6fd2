"""The unified message: a contract with producers that know only the first fields."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from core.messages import IncomingMessage, OutgoingMessage

LEAST = {
    "channel": "avito",
    "external_user_id": "702000002",
    "external_chat_id": "u2i-AbC~1",
    "external_message_id": "0f3c",
    "text": "Сколько стоит?",
    "timestamp": "2026-11-22T08:28:43Z",
}


def read(**change: Any) -> IncomingMessage:
    return IncomingMessage.model_validate_json(json.dumps(LEAST | change))


def test_the_fields_of_the_contract_are_enough() -> None:
    message = read()

    assert (message.account, message.event, message.text) == ("default", "message", "Сколько стоит?")
    assert message.media.is_empty


def test_every_name_of_the_contract_is_written() -> None:
    written = read().model_dump(mode="json")

    assert {*LEAST, "client_name", "client_phone", "media", "meta"} <= written.keys()
    assert {"ad_channel", "ad_id", "raw"} <= written["meta"].keys()
    media = {"has_voice", "voice_url", "voice_transcribed_text", "has_images", "images", "has_video"}
    assert media | {"has_document"} <= written["media"].keys()


def test_what_is_written_is_read_back() -> None:
    message = read(
        media={"has_images": True, "images": [{"url": "https://example.test/1.jpg"}]},
        meta={"ad_id": 3550001234, "raw": {"content": {"text": "Сколько?"}}},
    )

    assert IncomingMessage.model_validate_json(message.model_dump_json()) == message


def test_fields_that_nobody_knows_are_left_out() -> None:
    assert "colour" not in read(colour="red").model_dump()


def test_null_means_absent() -> None:
    assert read(text=None, media=None, meta=None, account=None, client_name=None).text == ""


def test_an_empty_word_where_a_name_belongs_means_absent() -> None:
    message = read(account="", event="", reply_to="")

    assert (message.account, message.event, message.reply_to) == ("default", "message", None)


def test_a_nul_in_an_id_is_taken_out() -> None:
    message = read(external_chat_id="a\x00b", reply_to="\x00")

    assert (message.external_chat_id, message.reply_to) == ("ab", None)


def test_numbers_are_ids_too() -> None:
    assert read(external_user_id=702000002, external_chat_id=7).external_chat_id == "7"


@pytest.mark.parametrize("chat", ["a b", "a/b/../c", "{chat}", "a:b@c", "чат", "*?[a]", "x" * 512])
def test_a_chat_id_is_opaque(chat: str) -> None:
    assert read(external_chat_id=chat).external_chat_id == chat


def test_nul_is_taken_out_of_the_text() -> None:
    assert read(text="a\x00b").text == "ab"


def test_a_text_of_100000_characters_is_kept_whole() -> None:
    assert len(read(text="я" * 100_000).text) == 100_000


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-22T08:28:43Z", datetime(2026, 11, 22, 8, 28, 43, tzinfo=UTC)),
        ("2026-11-22T11:28:43+03:00", datetime(2026, 11, 22, 8, 28, 43, tzinfo=UTC)),
        ("2026-11-22T08:28:43", datetime(2026, 11, 22, 8, 28, 43, tzinfo=UTC)),
        ("2026-11-22 08:28:43.5", datetime(2026, 11, 22, 8, 28, 43, 500_000, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_is_utc(written: str, meant: datetime) -> None:
    assert read(timestamp=written).timestamp == meant


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"channel": "icq"}, "channel"),
        ({"channel": None}, "channel"),
        ({"external_chat_id": ""}, "external_chat_id"),
        ({"external_chat_id": "x" * 513}, "external_chat_id"),
        ({"external_chat_id": True}, "external_chat_id"),
        ({"external_message_id": ["a"]}, "external_message_id"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"account": "A/B"}, "account"),
        ({"event": "party"}, "event"),
        ({"text": {"a": 1}}, "text"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(**change)

    assert [error["loc"][0] for error in refused.value.errors()] == [field]


def test_an_outgoing_message_needs_three_fields() -> None:
    message = OutgoingMessage.model_validate({"channel": "avito", "external_chat_id": "c1", "text": "Да"})

    assert message.account == "default"


def test_one_idempotency_key_is_one_delivery() -> None:
    given = {"channel": "avito", "external_chat_id": "c1", "text": "Да", "idempotency_key": "k"}

    assert OutgoingMessage.model_validate(given).id == OutgoingMessage.model_validate(given).id
    other = given | {"account": "second"}
    assert OutgoingMessage.model_validate(given).id != OutgoingMessage.model_validate(other).id


@pytest.mark.parametrize(
    "change", [{"text": ""}, {"text": " \n"}, {"text": "x" * 20_001}, {"channel": "icq"}, {"text": None}]
)
def test_an_outgoing_message_must_say_something(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OutgoingMessage.model_validate({"channel": "avito", "external_chat_id": "c1", "text": "Да"} | change)


def test_a_picture_says_something() -> None:
    given = {"channel": "avito", "external_chat_id": "c1", "image_url": "https://example.test/1.jpg"}

    assert OutgoingMessage.model_validate(given).text == ""


def written(**more: Any) -> OutgoingMessage:
    given = {"channel": "avito", "external_chat_id": "c1", "text": "Когда?"} | more
    return OutgoingMessage.model_validate_json(json.dumps(given))


def test_a_message_may_have_buttons_a_quote_or_a_file() -> None:
    asked = written(buttons=[" Утром ", "Днём"], reply_to=77)
    file = written(text="", file_url="https://example.test/a.pdf", file_kind="document")

    assert (asked.buttons, asked.reply_to) == (("Утром", "Днём"), "77")
    assert (file.file_url, file.file_kind) == ("https://example.test/a.pdf", "document")
    for message in (asked, file):
        assert OutgoingMessage.model_validate_json(message.model_dump_json()) == message


def test_nothing_said_of_the_newer_fields_is_nothing() -> None:
    message = written(buttons=None, reply_to="", file_url="", file_kind="", image_url=None)

    assert message.model_dump(include={"buttons", "reply_to", "file_url", "file_kind"}) == {
        "buttons": (),
        "reply_to": None,
        "file_url": None,
        "file_kind": None,
    }


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"buttons": [" "]}, "1 to 40 characters, not 0"),
        ({"buttons": ["x" * 41]}, "1 to 40 characters, not 41"),
        ({"buttons": ["x"] * 14}, "at most 13 items"),
        ({"buttons": "Да"}, "valid array"),
        ({"buttons": [1]}, "valid string"),
        ({"buttons": ["Да"], "text": " ", "image_url": "https://i"}, "under a text alone"),
        ({"buttons": ["Да"], "image_url": "https://i"}, "under a text alone"),
        ({"buttons": ["Да"], "file_url": "https://f", "file_kind": "voice"}, "under a text alone"),
        ({"file_url": "https://f"}, "go together"),
        ({"file_kind": "voice"}, "go together"),
        ({"file_url": "https://f", "file_kind": "song"}, "'voice', 'video' or 'document'"),
        ({"file_url": "https://f", "file_kind": "voice", "image_url": "https://i"}, "not both"),
        ({"text": ""}, "a text or an image_url or a file_url"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_words(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        written(**more)

    assert words in str(refused.value)
