"""What a chat's gathered messages amount to."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import MessageId
from core.messages import IncomingMessage
from orchestrator.batching import Batch, gather, message_type, taking_edits_as_messages, target_of

T0 = datetime(2027, 1, 15, 8, tzinfo=UTC)
SAID = ("message", "postback", "operator_message", "notice")
CHANGES = ("edit", "delete", "read", "delivered", "reaction")


def said(number: str, text: str = "", second: float = 0, **more: object) -> IncomingMessage:
    return IncomingMessage.model_validate(
        {
            "channel": "avito",
            "external_user_id": "anna",
            "external_chat_id": "chat-1",
            "external_message_id": number,
            "text": text,
            "timestamp": T0 + timedelta(seconds=second),
            **more,
        }
    )


def batch(*messages: IncomingMessage) -> Batch:
    return gather(messages, closed_by="silence")


def test_messages_stand_in_the_order_of_their_times_then_of_arrival() -> None:
    late, early, beside = said("3", "c", 2), said("1", "a", 1), said("2", "b", 1)

    assert batch(late, early, beside).texts == ["a", "b", "c"]


def test_a_repeat_is_dropped() -> None:
    assert batch(said("1", "a"), said("2", "b"), said("1", "a")).texts == ["a", "b"]


def test_an_edit_within_the_batch_is_simply_the_new_text() -> None:
    made = batch(said("1", "a"), said("1", "b", 1, event="edit"), said("1", "c", 2, event="edit"))

    assert made.texts == ["c"]
    assert made.changes == ()
    assert made.items[0].edited_at == T0 + timedelta(seconds=2)


def test_an_edit_that_arrives_before_its_message_is_applied_to_it() -> None:
    assert batch(said("1", "new", event="edit"), said("1", "old")).texts == ["new"]


def test_a_message_deleted_within_the_batch_is_kept_but_asks_for_nothing() -> None:
    made = batch(said("1", "a"), said("2", "b"), said("1", second=1, event="delete"))

    assert made.texts == ["b"]
    assert [item.text for item in made.items] == ["a", "b"]


def test_changes_of_earlier_messages_are_left_to_the_history() -> None:
    edit, delete = said("7", "x", event="edit"), said("8", event="delete")

    made = batch(said("1", "a"), edit, delete, edit)

    assert [(change.event, change.external_message_id) for change in made.changes] == [
        ("delete", "8"),
        ("edit", "7"),
    ]


def test_an_edit_of_a_message_that_nobody_saw_is_that_message() -> None:
    made = batch(said("2", "b", 2), said("1", "a", 1, event="edit"), said("9", event="delete"))

    taken = taking_edits_as_messages(made, [MessageId("1"), MessageId("9")])

    assert taken.texts == ["a", "b"]
    assert [change.event for change in taken.changes] == ["delete"]


def test_an_operators_edit_of_a_message_that_nobody_saw_is_no_question() -> None:
    made = batch(said("1", "Ждём вас завтра", event="edit", own=True))

    taken = taking_edits_as_messages(made, [MessageId("1")])

    assert taken.texts == []
    assert [(item.message.event, item.text) for item in taken.items] == [
        ("operator_message", "Ждём вас завтра")
    ]


def test_what_an_operator_writes_asks_for_nothing_and_names_nobody() -> None:
    made = batch(said("1", "Добрый день", event="operator_message", external_user_id="shop"))

    assert made.texts == []
    assert made.external_user_id is None


def test_the_customer_is_who_writes_not_the_operator_beside_them() -> None:
    made = batch(said("1", event="operator_message", external_user_id="shop"), said("2", second=1))

    assert made.external_user_id == "anna"


@pytest.mark.parametrize(
    ("media", "kind"),
    [
        ({}, "text"),
        ({"has_voice": True}, "voice"),
        ({"has_images": True}, "image"),
        ({"images": [{"url": "https://x/1.jpg"}]}, "image"),
        ({"has_video": True}, "video"),
        ({"has_document": True}, "document"),
        ({"locations": [{"latitude": 1, "longitude": 2}]}, "location"),
        ({"contacts": [{"name": "Bob"}]}, "contact"),
        ({"has_voice": True, "has_images": True}, "mixed"),
        ({"has_document": True, "documents": [{"kind": "sticker"}]}, "sticker"),
        ({"has_video": True, "videos": [{"kind": "Video_Sticker"}]}, "sticker"),
        ({"has_document": True, "documents": [{"kind": "sticker"}, {"kind": "doc"}]}, "mixed"),
        ({"has_document": True, "documents": [{"kind": None}]}, "document"),
    ],
)
def test_the_kind_of_a_message_follows_its_media(media: dict[str, object], kind: str) -> None:
    assert message_type(said("1", media=media).media) == kind


def test_the_kind_of_a_batch_is_mixed_when_its_messages_differ() -> None:
    assert batch(said("1"), said("2", media={"has_voice": True})).message_type == "mixed"
    assert batch(said("1", media={"has_voice": True})).message_type == "voice"
    assert batch(said("1", event="notice")).message_type == "text"


def test_messages_of_two_chats_are_never_one_batch() -> None:
    with pytest.raises(ValueError, match="one chat, not of 2"):
        batch(said("1"), said("1", external_chat_id="chat-2"))
    with pytest.raises(ValueError, match="not of 2"):
        batch(said("1"), said("1", account="second"))
    with pytest.raises(ValueError, match="not of 0"):
        batch()


messages = st.builds(
    said,
    st.sampled_from("12345"),
    st.text(alphabet="abя \n", max_size=5),
    st.integers(0, 5),
    event=st.sampled_from(SAID + CHANGES),
)
arrivals = st.lists(messages, min_size=1, max_size=12)


@given(arrivals)
def test_every_message_is_in_the_batch_exactly_once(arrived: list[IncomingMessage]) -> None:
    made = batch(*arrived)

    expected = {one.external_message_id for one in arrived if one.event in SAID}
    names = [item.message.external_message_id for item in made.items]
    assert sorted(names) == sorted(expected)
    assert {target_of(change) for change in made.changes}.isdisjoint(expected)


@given(arrivals)
def test_nothing_is_lost_between_said_and_changed(arrived: list[IncomingMessage]) -> None:
    made = batch(*arrived)

    assert {target_of(one) for one in arrived} == {target_of(one) for one in made.messages}


@given(arrivals)
def test_time_never_runs_backwards(arrived: list[IncomingMessage]) -> None:
    made = batch(*arrived)

    times = [item.message.timestamp for item in made.items]
    assert times == sorted(times)


@given(arrivals)
def test_everything_repeated_is_the_same_batch(arrived: list[IncomingMessage]) -> None:
    assert batch(*arrived, *arrived) == batch(*arrived)


@given(st.lists(messages, min_size=1, max_size=12, unique_by=lambda one: one.timestamp), st.randoms())
def test_the_order_of_arrival_does_not_matter_when_times_differ(
    arrived: list[IncomingMessage], random: Random
) -> None:
    shuffled = list(arrived)
    random.shuffle(shuffled)

    assert batch(*shuffled) == batch(*arrived)


@given(arrivals)
def test_an_edit_taken_as_a_message_loses_nothing_either(arrived: list[IncomingMessage]) -> None:
    made = batch(*arrived)

    taken = taking_edits_as_messages(made, {target_of(change) for change in made.changes})

    assert {target_of(one) for one in taken.messages} == {target_of(one) for one in made.messages}
    assert not any(change.event == "edit" for change in taken.changes)
