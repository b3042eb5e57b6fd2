"""What Wappi's deliveries mean: one pair of files per kind and quirk, and nothing that makes it crash."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.channel import Arrival, Normalized
from core.echoes import IMAGE_FINGERPRINT
from core.ids import AccountId
from core.messages import IncomingMessage
from mcp_whatsapp.normalize import MARKS, Whose, arrivals_of_rows, chat_messages, normalize

PAYLOADS = Path(__file__).parent.parent / "payloads" / "whatsapp"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in PAYLOADS.glob("*.expected.json"))
SILENT = {"authorization_offline", "application_online", "status_pending", "no_messages", "probe"}
PROFILE, ME = "a1b2c3d4-e5f6", "79000000001"

wild_text = st.text(st.characters(exclude_categories=()), max_size=20) | st.just("https://a\0")
keys = wild_text | st.sampled_from(
    ["id", "type", "url", "latitude", "display_name", "phone", "FullName", "messages", "wh_type", "chatId"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | wild_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
wh_types = st.sampled_from(
    [
        "incoming_message",
        "outgoing_message_api",
        "outgoing_message_phone",
        "delivery_status",
        "incoming_call",
        "authorization_status",
        "novelty",
    ]
)


def whose(phone: str | None = ME, account: str = "default") -> Whose:
    return Whose(PROFILE, phone, AccountId(account), lambda text: f"<{text}>")


def meaning(body: Any) -> Normalized:
    return normalize(body, whose())


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def event(name: str, **changes: Any) -> dict[str, Any]:
    """The first event of a payload, changed."""
    events = payload(name)["messages"]
    first: dict[str, Any] = events[0] if isinstance(events, list) else events
    return {**first, **changes}


def arrival(name: str, **changes: Any) -> Arrival:
    [only] = meaning({"messages": [event(name, **changes)]}).arrivals
    return only


def test_every_payload_has_its_expectation() -> None:
    bodies = {path.name.removesuffix(".json") for path in PAYLOADS.glob("*.json")} - {
        f"{name}.expected" for name in NAMES
    }

    assert bodies == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_only_what_needs_no_memory_is_silent(name: str) -> None:
    result = meaning(payload(name))

    assert (result == Normalized()) == (name in SILENT)


@pytest.mark.parametrize("form", ["text", "image", "status_read", "call_missed", "group_text"])
def test_one_event_means_the_same_as_an_object_and_as_an_array(form: str) -> None:
    one = event(form)

    assert meaning({"messages": one}) == meaning({"messages": [one]})


@pytest.mark.parametrize("kind", ["image", "video", "document", "voice", "audio", "sticker"])
def test_a_file_in_base64_is_in_no_message(kind: str) -> None:
    """§4.2: tens of megabytes that must reach neither queue nor history."""
    stored = arrival(kind, body="QUJD" * 1_000_000).message.model_dump_json()

    assert "QUJDQUJD" not in stored
    assert len(stored) < 4_000


@pytest.mark.parametrize("field", ["thumbnail", "reply_message", "novelty"])
def test_a_file_in_another_field_is_cut_as_well(field: str) -> None:
    long: Any = "QUJD" * 100_000
    one = arrival("image", **{field: {"body": long} if field == "reply_message" else long})

    assert len(one.message.model_dump_json()) < 8_000


def test_a_long_text_is_whole_in_the_message_and_cut_in_the_raw_event() -> None:
    message = arrival("text", body="ы" * 65_536).message

    assert len(message.text) == 65_536
    assert len(message.meta.raw["body"]) == 4_096


def test_the_vendors_own_event_is_kept_for_study() -> None:
    assert arrival("text_unknown_fields").message.meta.raw == event("text_unknown_fields")


def test_nul_is_kept_out_of_the_raw_event_too() -> None:
    """PostgreSQL stores NUL in no JSON."""
    assert arrival("text_with_nul").message.meta.raw["body"] == "допосле"


def test_what_happens_to_a_message_has_keys_of_its_own() -> None:
    """An edit may take the id of the message (§11.7); a repeat filter on the id alone would drop it."""
    old_id = {"id": "3AD57A50F73CFC3B0001"}
    events = [
        arrival("text"),
        arrival("edit_with_the_old_id"),
        arrival("edit_with_the_old_id", body="Сколько?"),
        arrival("edit_with_the_old_id", time=1_763_800_199),
        arrival("deletion"),
        arrival("reaction", **old_id),
        arrival("status_delivered", **old_id),
        arrival("status_read", **old_id),
        arrival("status_undelivered", **old_id),
    ]

    assert len({one.event_key for one in events}) == len(events)


def test_an_edit_and_a_deletion_name_the_message_that_they_change() -> None:
    changes = ["edit_with_an_id_of_its_own", "edit_with_the_old_id", "deletion"]

    named = {arrival(name).message.external_message_id for name in [*changes, "text"]}

    assert named == {arrival("text").message.external_message_id}


def test_people_are_known_by_their_digits_in_every_form() -> None:
    forms = ["79000000002", "79000000002@c.us", "79000000002@s.whatsapp.net"]
    told = [arrival("text", chatId=form, **{"from": form}).message for form in forms]

    assert {(one.external_chat_id, one.external_user_id, one.client_phone) for one in told} == {
        ("79000000002", "79000000002", "+79000000002")
    }


def test_the_account_of_the_channel_is_named() -> None:
    result = normalize(payload("text"), whose(account="second"))

    assert result.arrivals[0].message.account == "second"


def test_our_number_makes_a_message_ours_as_soon_as_it_is_known() -> None:
    body = payload("operator_text_by_number_only")

    events = [normalize(body, whose(phone)).arrivals[0].message.event for phone in (None, ME)]

    assert events == ["message", "operator_message"]


def test_a_change_by_hand_is_never_taken_for_an_echo() -> None:
    """An operator may edit or delete what we sent: the id is ours, the change is not."""
    own = {name: arrival(name).own for name in ("echo_edit", "operator_edit", "operator_deletion")}

    assert own == {"echo_edit": True, "operator_edit": False, "operator_deletion": False}


def test_a_change_by_the_account_does_not_name_it_as_the_customer() -> None:
    names = ("echo_edit", "operator_edit", "operator_deletion")

    assert {arrival(name).message.external_user_id for name in names} == {"79000000002"}


@pytest.mark.parametrize(
    ("name", "told"), [("text", "anna.k"), ("group_text", None), ("operator_text", None), ("echo_edit", None)]
)
def test_a_public_name_is_the_customers_where_the_contact_is_the_customer(
    name: str, told: str | None
) -> None:
    """In a group the contact is the group, and of our own words nobody is the author whom we serve."""
    said = meaning({"messages": [event(name, contact_username="anna.k")]})

    assert [one.message.client_username for one in said.arrivals] == [told]


def test_media_are_marked_as_the_senders_mark_them() -> None:
    assert MARKS["image"] == IMAGE_FINGERPRINT
    assert set(MARKS.values()) == {"image", "voice", "video", "document"}


def _row(**changes: Any) -> dict[str, Any]:
    """A row of the history (§3.5)."""
    row = {
        "id": "3AD57A50F73CFC3B0001",
        "type": "chat",
        "from": "79000000002@c.us",
        "to": f"{ME}@c.us",
        "fromMe": False,
        "senderName": "anna",
        "time": 1_763_800_123,
        "body": "Сколько стоит диагностика?",
        "stanzaId": "",
        "chatId": "79000000002@c.us",
        "isReply": False,
        "caption": "",
        "s3Info": {},
        "isEdited": False,
        "isDeleted": False,
    }
    return {**row, **changes}


PICTURE = {"JPEGThumbnail": "/9j/4AAQ", "url": "https://mmg.example.test/x", "mimetype": "image/jpeg"}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("text", _row()),
        ("reaction", _row(type="reaction", body="👍", stanzaId="3EB0A1B2C3D4E5F60718")),
        ("reply", _row(body="А выезд?", isReply=True, stanzaId="3EB0A1B2C3D4E5F60718")),
        ("deletion", _row(body="", isDeleted=True)),
        ("poll", _row(type="poll", body="Придёте завтра?", poll_options=["да", "нет"])),
        ("image_base64_only", _row(type="image", body=PICTURE)),
        ("group_text", _row(body="Всем привет", chatId="120363000000000001@g.us")),
        (
            "edit_with_an_id_of_its_own",
            _row(
                id="3AD57A50F73CFC3B0007",
                body="Сколько стоит диагностика айфона?",
                isEdited=True,
                stanzaId="3AD57A50F73CFC3B0001",
                time=1_763_800_143,
            ),
        ),
        (
            "echo_text",
            _row(id="3EB0A1B2C3D4E5F60718", body="Диагностика бесплатная.", fromMe=True, from_where="api"),
        ),
    ],
)
def test_the_history_tells_the_same_event_as_the_webhook(name: str, row: dict[str, Any]) -> None:
    [found] = arrivals_of_rows([row], whose())
    told = arrival(name)

    assert (found.event_key, found.own, found.fingerprint) == (told.event_key, told.own, told.fingerprint)
    kept = {"event", "external_chat_id", "external_message_id", "text", "timestamp", "media", "reply_to"}
    assert found.message.model_dump(include=kept) == told.message.model_dump(include=kept)


def test_the_stored_link_of_the_history_opens_the_file() -> None:
    link = {"url": "https://files.example.test/p.jpg?X-Amz-Expires=172800", "expire": 1_763_972_923}
    [found] = arrivals_of_rows([_row(type="image", body=PICTURE, s3Info=link)], whose())

    assert found.message.media.images[0].url == link["url"]
    assert "4AAQ" not in found.message.model_dump_json()


def test_rows_come_oldest_first_and_unreadable_ones_are_left_out() -> None:
    rows = [_row(id="B", time=1_763_800_130), _row(id="C", body=None), 5, _row(id="A"), {"id": "D"}]

    assert [one.message.external_message_id for one in arrivals_of_rows(rows, whose())] == ["A", "B"]


def test_a_message_edited_under_its_own_id_is_told_before_its_edit() -> None:
    """The webhook of both may be lost: an edit alone would change nothing."""
    told = arrivals_of_rows([_row(isEdited=True, stanzaId="")], whose())

    assert [one.message.event for one in told] == ["message", "edit"]


def test_the_body_of_an_unknown_kind_is_kept_as_far_as_it_is_short() -> None:
    """It may be words, or a file of tomorrow in base64."""
    for body, kept in (("заказ № 5", "заказ № 5"), ("A" * 1_000_000, "A" * 4_096)):
        [found] = arrivals_of_rows([_row(type="order", body=body)], whose())

        assert found.message.meta.raw["body"] == kept


def test_a_reaction_that_was_taken_back_is_no_event() -> None:
    assert arrivals_of_rows([_row(type="reaction", body="", stanzaId="3EB0")], whose()) == []


def test_a_history_without_any_time_counts_as_new() -> None:
    [message] = chat_messages([_row(time=None)], None)

    assert message.sent_at.startswith("9999-")


@given(anything)
def test_no_body_makes_it_crash(body: Any) -> None:
    result = meaning(body)

    _survives_storage(result.arrivals)
    assert result != Normalized() or _is_empty(body)


@given(st.lists(anything, max_size=3) | anything)
def test_no_events_are_lost_or_make_it_crash(events: Any) -> None:
    result = meaning({"messages": events})

    assert result.unknown or result.foreign or not events


@given(wh_types, st.sampled_from(NAMES), keys, anything)
def test_no_field_of_a_wrong_type_makes_it_crash(wh_type: str, name: str, field: str, value: Any) -> None:
    for one in _events(payload(name)):
        changed = {**one, "wh_type": wh_type, "profile_id": PROFILE, field: value}
        _nothing_is_lost(changed)


@given(st.sampled_from(NAMES), st.data())
def test_no_known_field_of_a_wrong_type_makes_it_crash(name: str, data: st.DataObject) -> None:
    for one in _events(payload(name)):
        field = data.draw(st.sampled_from(sorted(one)))
        _nothing_is_lost({**one, field: data.draw(anything)})


@given(st.sampled_from(NAMES), st.data())
def test_no_missing_field_makes_it_crash(name: str, data: st.DataObject) -> None:
    for one in _events(payload(name)):
        left_out = data.draw(st.sets(st.sampled_from(sorted(one))))
        _nothing_is_lost({key: value for key, value in one.items() if key not in left_out})


@given(st.lists(anything, max_size=3), st.sampled_from(sorted(_row())), anything)
def test_no_row_makes_it_crash(rows: list[Any], field: str, value: Any) -> None:
    rows = [*rows, _row(**{field: value})]

    _survives_storage(tuple(arrivals_of_rows(rows, whose())))
    chat_messages(rows, ME)


def test_half_an_emoji_is_a_reason_and_no_crash() -> None:
    assert meaning({"messages": [event("text", chatId="7900\ud83d")]}).unknown.startswith("chatId: ")


@pytest.mark.parametrize("field", ["chatId", "type", "id", "time"])
def test_a_reason_does_not_repeat_the_customers_words(field: str) -> None:
    changed = event("text", timestamp=None) | {field: ["my secret words"]}

    result = meaning({"messages": [changed]})

    assert result.unknown
    assert "secret" not in result.unknown


def _events(body: Any) -> list[dict[str, Any]]:
    told = body.get("messages") if isinstance(body, dict) else None
    return [one for one in (told if isinstance(told, list) else [told]) if isinstance(one, dict)]


def _is_empty(body: Any) -> bool:
    return isinstance(body, dict) and (not body or body.get("messages") == [])


def _nothing_is_lost(one: dict[str, Any]) -> None:
    """An event is told, kept with a reason, somebody else's, or of those that need no memory."""
    result = meaning({"messages": [one]})

    _survives_storage(result.arrivals)
    needs_none = str(one.get("wh_type")) in {"authorization_status", "application_status"}
    needs_none = needs_none or one.get("status") == "pending"
    assert result.arrivals or result.unknown or result.foreign or needs_none


def _survives_storage(arrivals: tuple[Arrival, ...]) -> None:
    """What becomes a message can be written to the queue and read back."""
    for one in arrivals:
        stored = one.message.model_dump_json()
        assert "\\u0000" not in stored
        assert IncomingMessage.model_validate_json(stored).external_message_id
