"""What Instagram's deliveries mean: one pair of files per event and quirk; nothing makes it crash."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.channel import Arrival, Normalized
from core.echoes import IMAGE_FINGERPRINT
from core.ids import AccountId
from core.messages import IncomingMessage
from mcp_instagram.normalize import IMAGE_MARK, normalize, recovered
from mcp_instagram.schemas import Row, moment_or_none

PAYLOADS = Path(__file__).parent.parent / "payloads" / "instagram"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in PAYLOADS.glob("*.expected.json"))
ME, OTHER, OLGA = "17841400000000001", "17841400000000002", "990000000000001"

wild_text = st.text(st.characters(exclude_categories=()), max_size=20) | st.just("https://a\0")
keys = wild_text | st.sampled_from(
    ["mid", "text", "attachments", "type", "payload", "url", "title", "story", "ad_id", "action", "num_edit"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | wild_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
events = st.sampled_from(
    [
        "message",
        "reaction",
        "postback",
        "referral",
        "read",
        "message_edit",
        "optin",
        "pass_thread_control",
        "policy_enforcement",
        "hologram",
    ]
)


def meaning(body: Any, user_id: str | None = ME) -> Normalized:
    return normalize(
        body, user_id=user_id, account=AccountId("default"), fingerprint=lambda text: f"<{text}>"
    )


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))


def item_of(body: Any) -> Any:
    return body["entry"][0]["messaging"][0]


def test_every_payload_has_its_expectation() -> None:
    bodies = {path.name.removesuffix(".json") for path in PAYLOADS.glob("*.json")}

    assert bodies == {*NAMES, *(f"{name}.expected" for name in NAMES)}


def test_the_vendors_own_item_is_kept_for_study() -> None:
    body = payload("text_unknown_fields")

    assert meaning(body).arrivals[0].message.meta.raw == item_of(body)


def test_everything_that_happens_to_a_message_has_a_key_of_its_own() -> None:
    """All of these name the same mid; a repeat filter on it alone would drop all but the first."""
    names = ["text", "edit", "edit_number_as_text", "unsent", "read", "reaction", "reaction_taken_back"]
    bodies = [payload(name) for name in names]
    for body in bodies:
        for key in ("message", "message_edit", "reaction", "read"):
            if key in item_of(body):
                item_of(body)[key]["mid"] = "the-same"

    keys = [meaning(body).arrivals[0].event_key for body in bodies]

    assert len(set(keys)) == len(keys)


def test_a_reaction_that_is_given_again_is_another_event() -> None:
    later = payload("reaction")
    item_of(later)["timestamp"] += 5_000

    assert meaning(later).arrivals[0].event_key != meaning(payload("reaction")).arrivals[0].event_key


def test_a_new_message_and_its_announcement_in_development_mode_are_one_event() -> None:
    both = {meaning(payload(name)).arrivals[0].event_key for name in ("text", "edit_zero_is_a_message")}

    assert len(both) == 1


def test_the_account_of_the_channel_is_named() -> None:
    result = normalize(payload("text"), user_id=None, account=AccountId("second"), fingerprint=str)

    assert result.arrivals[0].message.account == "second"


def test_any_account_is_believed_until_ours_is_known() -> None:
    assert meaning(payload("other_account"), user_id=None).arrivals


@pytest.mark.parametrize("user_id", [ME, None])
@pytest.mark.parametrize("name", ["edit_by_operator", "unsent_by_operator", "reaction_by_operator"])
def test_what_the_business_does_is_never_taken_for_the_customers(name: str, user_id: str | None) -> None:
    """An edit of a message that nobody has seen becomes that message: whose it is decides who is answered."""
    [arrival] = meaning(payload(name), user_id).arrivals

    assert (arrival.message.own, arrival.message.external_chat_id) == (True, OLGA)


@pytest.mark.parametrize("name", ["edit", "unsent", "reaction", "read", "text", "own_text", "own_image"])
def test_what_the_customer_does_and_what_is_said_bears_no_such_mark(name: str) -> None:
    assert not any(arrival.message.own for arrival in meaning(payload(name)).arrivals)


def test_on_a_shared_address_each_account_takes_its_own() -> None:
    """What one account calls foreign the other takes, so nothing is buried."""
    body = payload("batch")
    first, second = meaning(body, ME), meaning(body, OTHER)

    assert len(first.arrivals) == 3
    assert [arrival.message.text for arrival in second.arrivals] == ["чужое"]
    assert (set(first.foreign), set(second.foreign)) == ({OTHER}, {ME})
    assert not first.foreign & second.foreign


@pytest.mark.parametrize("name", NAMES)
def test_what_is_foreign_is_named_alike_by_every_account(name: str) -> None:
    """Only what nobody takes is buried: the accounts of an address must speak of the same ids."""
    foreign = {
        user_id: meaning(payload(name), user_id).foreign for user_id in (ME, OTHER, "17841400000000003")
    }

    assert foreign["17841400000000003"] >= foreign[ME] | foreign[OTHER]


def test_half_an_emoji_loses_no_message() -> None:
    body = payload("text")
    item_of(body)["message"]["text"] = "a\ud83d"

    assert meaning(body).arrivals[0].message.text == "a\ufffd"


def test_a_reason_does_not_repeat_the_customers_words() -> None:
    body = payload("text")
    item_of(body)["message"]["mid"] = ["my secret words"]

    assert "secret" not in meaning(body).unknown
    assert meaning(body).unknown


def test_a_deep_item_spoils_no_other() -> None:
    body = payload("text")
    deep: Any = "x"
    for _ in range(500):
        deep = [deep]
    body["entry"][0]["messaging"].insert(0, {**item_of(body), "novelty": deep})

    result = meaning(body)

    assert (len(result.arrivals), result.unknown) == (1, "nested too deeply")


def test_a_thousand_updates_in_one_delivery_are_a_thousand_messages() -> None:
    body = payload("text")
    items = []
    for number in range(1_000):
        items.append(copy.deepcopy(item_of(body)))
        items[-1]["message"]["mid"] = f"m{number}"
    body["entry"][0]["messaging"] = items

    assert len(meaning(body).arrivals) == 1_000


@given(anything)
def test_no_body_is_lost_without_a_word(body: Any) -> None:
    result = meaning(body)

    assert result.arrivals or result.unknown or result.foreign or body == {}


@given(anything, anything)
def test_no_envelope_makes_it_crash(entry: Any, change: Any) -> None:
    _accounts_for_all(meaning({"object": "instagram", "entry": [entry]}))
    _accounts_for_all(meaning({"object": "instagram", "entry": [{"id": ME, "changes": [change]}]}))


@given(events, anything)
def test_no_event_is_lost_whatever_is_in_it(event: str, content: Any) -> None:
    body = payload("text")
    item = item_of(body)
    item.pop("message")
    item[event] = content

    _accounts_for_all(meaning(body))


@given(st.sampled_from(["sender", "recipient", "timestamp", "message", "novelty"]), anything)
def test_no_field_of_a_wrong_type_loses_the_item(field: str, value: Any) -> None:
    body = payload("text")
    item_of(body)[field] = value

    _accounts_for_all(meaning(body))


@given(
    st.sampled_from(
        [
            "text",
            "attachments",
            "quick_reply",
            "referral",
            "reply_to",
            "is_deleted",
            "is_unsupported",
            "is_echo",
        ]
    ),
    anything,
)
def test_no_part_of_a_message_of_a_wrong_type_loses_it(part: str, value: Any) -> None:
    body = payload("text")
    item_of(body)["message"][part] = value

    _accounts_for_all(meaning(body))


@given(st.sampled_from(NAMES), st.data())
def test_a_real_delivery_with_something_wrong_in_it_is_not_lost(name: str, data: st.DataObject) -> None:
    body = payload(name)
    places = list(_places(body))
    if not places:
        return
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(anything)

    if body and name != "dashboard_test" and not _is_test(body):
        _accounts_for_all(meaning(body))
    else:
        meaning(body)


def _places(value: Any) -> Any:
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in entries:
        yield value, key
        yield from _places(inner)


def _is_test(body: Any) -> bool:
    entries = body.get("entry") if isinstance(body, dict) else None
    return isinstance(entries, list) and any(
        isinstance(entry, dict) and entry.get("id") in ("0", 0) for entry in entries
    )


def _accounts_for_all(result: Normalized) -> None:
    """Something is told of it, and what becomes a message can be written to the queue and read back."""
    assert result.arrivals or result.unknown or result.foreign
    for arrival in result.arrivals:
        stored = arrival.message.model_dump_json()
        assert "\\u0000" not in stored
        assert IncomingMessage.model_validate_json(stored).external_message_id
        assert arrival.message.external_chat_id.isdecimal()


def test_a_picture_is_marked_as_the_senders_mark_it() -> None:
    assert IMAGE_MARK == IMAGE_FINGERPRINT


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2026-11-22T16:00:00+0000", 1_795_363_200.0),
        ("2026-11-22T19:00:00+03:00", 1_795_363_200.0),
        ("2026-11-22T16:00:00", 1_795_363_200.0),
        (1_795_363_200, 1_795_363_200.0),
        ("1795363200", 1_795_363_200.0),
        (1_795_363_200_500, 1_795_363_200.5),
        ("1795363200500", 1_795_363_200.5),
    ],
)
def test_times_are_read_in_every_form(written: Any, seconds: float) -> None:
    """§8: ISO in life, Unix in the documentation; §13.4: milliseconds, or seconds as text in the test."""
    assert moment_or_none(written) == datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    "written",
    [None, "", "soon", 0, -5, True, 10**30, "9" * 40, float("nan"), float("inf"), [], {}, "0", "٣" * 10],
)
def test_what_is_no_time_is_none(written: Any) -> None:
    found = moment_or_none(written)

    assert found is None or found.year < 9999


def row(**given: Any) -> Row:
    written = {"id": "m1", "created_time": "2026-11-22T16:00:00+0000", "from": {"id": OLGA}}
    return Row.model_validate(written | given)


def found_again(*rows: Row, customer: str = OLGA) -> list[Arrival]:
    return recovered(
        rows, customer=customer, user_id=ME, account=AccountId("shop"), fingerprint=lambda text: f"<{text}>"
    )


def test_the_history_tells_a_message_under_the_key_of_its_webhook() -> None:
    mid = item_of(payload("text"))["message"]["mid"]

    [arrival] = found_again(row(id=mid, message="Здравствуйте!"))

    assert arrival.event_key == meaning(payload("text")).arrivals[0].event_key
    assert (arrival.message.text, arrival.message.event, arrival.own) == ("Здравствуйте!", "message", False)
    assert arrival.message.account == "shop"


def test_the_history_tells_our_own_messages_as_echoes() -> None:
    [arrival] = found_again(row(message="Готово", **{"from": {"id": ME}}))

    assert (arrival.own, arrival.fingerprint) == (True, "<Готово>")
    assert (arrival.message.external_chat_id, arrival.message.external_user_id) == (OLGA, ME)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"attachments": {"data": [{"image_data": {"url": "https://i/1"}}]}},
            {"has_images": True, "images": [{"url": "https://i/1"}]},
        ),
        (
            {"attachments": {"data": [{"video_data": {"url": "https://v/1"}}]}},
            {"has_video": True, "videos": [{"url": "https://v/1", "kind": "video"}]},
        ),
        (
            {"attachments": {"data": [{"file_url": "https://a/1", "mime_type": "audio/mp4"}]}},
            {"has_voice": True, "voice_url": "https://a/1"},
        ),
        (
            {"attachments": {"data": [{"file_url": "https://f/1"}]}},
            {"has_document": True, "documents": [{"url": "https://f/1", "kind": "file"}]},
        ),
        (
            {"shares": {"data": [{"link": "https://s/1"}]}},
            {"has_document": True, "documents": [{"url": "https://s/1", "kind": "share"}]},
        ),
        (
            {"story": {"mention": {"link": "https://st/1"}}},
            {"has_document": True, "documents": [{"url": "https://st/1", "kind": "story_mention"}]},
        ),
        (
            {"story": {"reply_to": {"link": "https://st/2", "id": "9"}}, "message": "Хочу"},
            {"has_document": True, "documents": [{"url": "https://st/2", "kind": "story_reply"}]},
        ),
    ],
)
def test_the_history_tells_of_media_as_the_webhook_does(given: dict[str, Any], expected: Any) -> None:
    [arrival] = found_again(row(**given))

    assert arrival.message.media.model_dump(mode="json", exclude_defaults=True) == expected


def test_a_message_whose_content_the_history_hides_is_still_one() -> None:
    [arrival] = found_again(row(reply_to={"mid": "m0", "is_self_reply": False}))

    assert arrival.message.text == "Сообщение, которого Instagram не показывает программам"
    assert arrival.message.reply_to == "m0"


def test_rows_that_do_not_tell_who_wrote_or_to_whom_are_left_out() -> None:
    bare = Row.model_validate({"id": "m9", "created_time": "2026-11-22T16:00:00+0000"})

    assert found_again(bare, row(created_time=None)) == []
    assert found_again(row(), customer="") == []
