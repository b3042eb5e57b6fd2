"""From rows to what an agent sees."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from core.errors import Rejected
from core.messages import Contact, File, Image, Location, Media
from orchestrator.appeals import Appeal, AppealView
from orchestrator.clients import Client
from orchestrator.history import MessageView
from orchestrator.hub_views import (
    appeal_details,
    appeal_line,
    delivery_view,
    history_line,
    lease_of,
    message_view,
    offer,
    token_of,
)
from orchestrator.media_links import VendorsLinks
from orchestrator.reach import NoWay
from orchestrator.store.outbound import Delivery
from orchestrator.turns import Lease, Turn, TurnView
from orchestrator.ways import Way

FILES = VendorsLinks()
AT = datetime(2026, 11, 22, 12, 0, 0, 123_456, tzinfo=UTC)
SHOWN_AT = "2026-11-22T12:00:00.123Z"

PLACE = Location(latitude=55.75, longitude=37.61, title="Кафе")
CARD = Contact(name="Пётр", phone="+79000000003")
MESSAGE = MessageView(
    id=7,
    direction="in",
    sender="customer",
    event="message",
    message_type="text",
    text="Цена?",
    media=Media(),
    meta={},
    reply_to="m0",
    external_message_id="m1",
    external_chat_id="c1",
    sent_at=AT,
    edited_at=None,
    deleted_at=None,
    outbound_id=None,
    delivery_state="",
)
TURN = Turn(
    id=12,
    appeal_id=3,
    client_id=2,
    channel="avito",
    account="shop",
    external_chat_id="c/1",
    status="leased",
    first_at=AT,
    last_at=AT,
    closed_by="silence",
    created_at=AT,
    lease_token=5,
    leased_by="agent",
    leased_until=AT,
    attempts=1,
    latest_message_id=7,
    committed_at=None,
    outbound_id=None,
)
APPEAL = Appeal(
    id=3,
    client_id=2,
    client_name="Анна",
    channel="avito",
    account="shop",
    external_chat_id="c/1",
    status="open",
    ad_id="9",
    ad_title="iPhone 12",
    ad_price="20 000 ₽",
    ad_url="https://avito.ru/9",
    opened_at=AT,
    updated_at=AT,
    closed_at=None,
    close_reason="",
)
CLIENT = Client(2, name="Анна", phone="+79991234567")
DELIVERY = Delivery(
    id=UUID(int=1),
    seq=1,
    origin="reply",
    turn_id=12,
    appeal_id=3,
    client_id=2,
    channel="avito",
    account="shop",
    external_chat_id="c/1",
    text="Да",
    image_url="",
    state="unknown",
    attempts=8,
    error_code="outcome_unknown",
    error_detail="no answer",
    vendor_message_ids=[],
    created_at=AT,
    updated_at=AT,
    queued_at=AT,
    sent_at=None,
)


def message(**changes: Any) -> MessageView:
    return replace(MESSAGE, **changes)


def test_an_offer_has_all_that_an_answer_needs() -> None:
    view = TurnView(TURN, CLIENT, APPEAL, [MESSAGE], [message(sender="agent", text="Да")])

    shown = offer(view, 119.6, None, FILES).model_dump()

    assert shown.pop("messages")[0]["text_untrusted"] == "Цена?"
    assert shown.pop("history")[0]["sender"] == "agent"
    assert "reply(turn_id, lease_token, text)" in shown.pop("next_step")
    assert shown == {
        "status": "turn",
        "turn_id": "12",
        "lease_token": "5.7",
        "lease_seconds": 120,
        "channel": "avito",
        "account": "shop",
        "chat_id": "c/1",
        "can_reply": True,
        "replies_via": "",
        "client_id": "2",
        "client_name_untrusted": "Анна",
        "client_phone": "+79991234567",
        "appeal_id": "3",
        "ad_title_untrusted": "iPhone 12",
        "ad_price_untrusted": "20 000 ₽",
        "ad_url_untrusted": "https://avito.ru/9",
    }


def test_a_client_whom_nothing_reaches_is_shown_with_the_reason() -> None:
    shown = offer(TurnView(TURN, Client(2), APPEAL, [MESSAGE], []), 120, NoWay("they gave no phone"), FILES)

    assert (shown.can_reply, shown.replies_via) == (False, "")
    assert "they gave no phone" in shown.next_step
    assert "skip_turn" in shown.next_step
    assert (shown.client_name_untrusted, shown.client_phone) == ("", "")


def test_another_way_to_the_client_is_named() -> None:
    shown = offer(TurnView(TURN, CLIENT, APPEAL, [MESSAGE], []), 120, Way("vk", "default", "c9"), FILES)

    assert (shown.can_reply, shown.replies_via, shown.chat_id) == (True, "vk", "c/1")
    assert "chat on vk" in shown.next_step
    assert "reply(turn_id" in shown.next_step


def test_a_way_that_cannot_be_told_now_does_not_stop_the_agent() -> None:
    way = NoWay("another way cannot be told now", passing=True)

    shown = offer(TurnView(TURN, CLIENT, APPEAL, [MESSAGE], []), 120, way, FILES)

    assert shown.can_reply
    assert "skip_turn" not in shown.next_step


@pytest.mark.parametrize(("latest", "token", "seen"), [(7, "5.7", 7), (None, "5.0", 0)])
def test_a_token_says_which_lease_and_what_was_shown(latest: int | None, token: str, seen: int) -> None:
    made = offer(TurnView(replace(TURN, latest_message_id=latest), CLIENT, APPEAL, [], []), 120, None, FILES)

    assert made.lease_token == token_of(Lease(12, 5), latest or 0) == token
    assert lease_of("12", token) == (Lease(12, 5), seen)


def test_a_token_without_what_was_shown_trusts_the_agent() -> None:
    assert lease_of("12", "5") == (Lease(12, 5), None)


@pytest.mark.parametrize(
    "token", ["", ".", "x", "5.x", "-5.1", "5.-1", "5.1.2", " 5.1", "5,1", "²", "1e3", "5.½"]
)
def test_what_is_no_token_of_ours_is_refused_by_name(token: str) -> None:
    with pytest.raises(Rejected, match="lease_token"):
        lease_of("12", token)


def test_a_message_shows_its_words_its_media_and_what_it_answers() -> None:
    media = Media(
        has_voice=True,
        voice_url="https://v/1",
        voice_transcribed_text="сколько стоит",
        has_images=True,
        images=(Image(url="https://i/1"), Image(file_id="only-an-id")),
        has_video=True,
        has_document=True,
    )

    shown = message_view(message(media=media, message_type="mixed"), FILES)

    assert shown.model_dump() == {
        "message_id": "m1",
        "type": "mixed",
        "text_untrusted": "Цена?",
        "image_urls": ["https://i/1"],
        "voice_url": "https://v/1",
        "voice_note": "transcribed",
        "voice_transcript_untrusted": "сколько стоит",
        "has_video": True,
        "has_document": True,
        "files": [],
        "locations_untrusted": [],
        "contacts_untrusted": [],
        "sent_at": SHOWN_AT,
        "edited": False,
        "reply_to": "m0",
        "reply_to_text_untrusted": "",
    }


def test_files_places_and_cards_are_shown_with_their_links() -> None:
    media = Media(
        has_video=True,
        videos=(File(url="https://v/1", kind="video_note"), File(file_id="v2", kind="video_sticker")),
        has_document=True,
        documents=(File(url="https://d/1", name="смета.pdf", kind="doc"), File(kind="sticker")),
        locations=(PLACE, Location(latitude=0, longitude=-1)),
        contacts=(CARD, Contact(phone="+1"), Contact()),
    )

    shown = message_view(message(media=media, message_type="mixed"), FILES)

    assert [(one.kind, one.name_untrusted, one.url) for one in shown.files] == [
        ("video", "", "https://v/1"),
        ("sticker", "", ""),
        ("document", "смета.pdf", "https://d/1"),
        ("sticker", "", ""),
    ]
    assert shown.locations_untrusted == ["55.75, 37.61, Кафе", "0.0, -1.0"]
    assert shown.contacts_untrusted == ["Пётр +79000000003", "+1", ""]


def test_a_press_is_named_and_a_quote_is_short() -> None:
    shown = message_view(message(event="postback", quoted="я" * 1000), FILES)

    assert (shown.type, shown.text_untrusted, len(shown.reply_to_text_untrusted)) == (
        "button_press",
        "Цена?",
        300,
    )


def test_a_deleted_message_shows_that_it_was_and_nothing_of_it() -> None:
    media = Media(
        has_voice=True,
        voice_url="https://v/1",
        voice_transcribed_text="тайна",
        has_video=True,
        has_images=True,
        images=(Image(url="https://i/1"),),
    )

    shown = message_view(message(media=media, deleted_at=AT), FILES)

    assert (shown.type, shown.text_untrusted) == ("deleted", "")
    assert (shown.image_urls, shown.voice_url, shown.voice_transcript_untrusted) == ([], "", "")
    assert not shown.has_video
    assert (
        history_line(message(media=media, deleted_at=AT), FILES).text_untrusted == f"[deleted at {SHOWN_AT}]"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Цена?"),
        ({"text": "", "message_type": "image"}, "[photo]"),
        ({"text": "", "message_type": "voice"}, "[voice note, not transcribed]"),
        ({"text": "", "message_type": "voice", "media": Media(voice_transcribed_text="да")}, "да"),
        ({"text": "", "message_type": "mixed"}, "[several attachments]"),
        ({"text": "смотрите", "message_type": "image"}, "смотрите"),
        ({"text": "", "message_type": "text"}, ""),
        ({"text": "", "message_type": "sticker"}, "[sticker]"),
        ({"text": "👍", "event": "reaction", "meta": {"reaction": "👍"}}, "[reaction] 👍"),
        ({"text": "Да", "event": "postback"}, "[button] Да"),
        ({"text": "Готово", "meta": {"reaction": "❤"}}, "Готово [reaction: ❤]"),
        ({"text": "Да", "edited_at": AT}, f"Да [edited at {SHOWN_AT}]"),
        (
            {"text": "Да", "edited_at": AT, "meta": {"original_text": "Нет"}},
            f"Да [edited at {SHOWN_AT}, before: Нет]",
        ),
        ({"text": "Когда?", "meta": {"buttons": ["Утром", "Днём"]}}, "Когда? [buttons: Утром | Днём]"),
        (
            {"text": "", "message_type": "location", "media": Media(locations=(PLACE,))},
            "[location] 55.75, 37.61, Кафе",
        ),
        (
            {"text": "", "message_type": "contact", "media": Media(contacts=(CARD,))},
            "[contact] Пётр +79000000003",
        ),
    ],
)
def test_a_line_of_history_names_media_where_there_are_no_words(changes: dict[str, Any], words: str) -> None:
    assert history_line(message(**changes), FILES).text_untrusted == words


def test_an_appeal_is_shown_with_its_client() -> None:
    line = appeal_line(APPEAL)
    details = appeal_details(AppealView(APPEAL, CLIENT, [MESSAGE]), FILES)

    assert (line.appeal_id, line.client_name_untrusted, line.opened_at) == ("3", "Анна", SHOWN_AT)
    assert details.model_dump(include=set(type(line).model_fields)) == line.model_dump()
    assert (details.client_phone, details.ad_price_untrusted) == ("+79991234567", "20 000 ₽")
    assert [one.text_untrusted for one in details.messages] == ["Цена?"]


def test_a_delivery_says_where_it_is_and_why() -> None:
    shown = delivery_view(DELIVERY)

    assert (shown.state, shown.attempts, shown.error_code) == ("unknown", 8, "outcome_unknown")
    assert shown.sent_at == ""
    assert delivery_view(replace(DELIVERY, state="sent", sent_at=AT)).sent_at == SHOWN_AT
