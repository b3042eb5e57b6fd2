"""What MAX's updates mean: one pair of files per type and quirk, and nothing that makes it crash."""

import copy
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
from mcp_max.normalize import IMAGE_MARK, Ours, normalize

PAYLOADS = Path(__file__).parent.parent / "payloads" / "max"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in PAYLOADS.glob("*.expected.json"))
BOT = 70_700
#: The cards of the payload files are signed for it.
TOKEN = "max-token-0123456789abcdef"
SILENT = {"edited_by_the_bot", "edited_post"}

wild_text = st.text(st.characters(exclude_categories=()), max_size=20) | st.just("https://a\0")
keys = wild_text | st.sampled_from(
    ["type", "payload", "url", "token", "text", "mid", "seq", "user_id", "chat_id", "vcf_info", "buttons"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | wild_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(
    [
        "image",
        "video",
        "audio",
        "file",
        "sticker",
        "contact",
        "share",
        "location",
        "inline_keyboard",
        "novelty",
    ]
)


def meaning(body: Any, bot_id: int | None = BOT, account: str = "default") -> Normalized:
    return normalize(body, Ours(AccountId(account), bot_id, lambda text: f"<{text}>", TOKEN))


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))


def only(name: str) -> Arrival:
    [arrival] = meaning(payload(name)).arrivals
    return arrival


def test_every_payload_has_its_expectation() -> None:
    bodies = {path.name.removesuffix(".json") for path in PAYLOADS.glob("*.json")} - {
        f"{name}.expected" for name in NAMES
    }

    assert bodies == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_only_edits_that_nobody_answers_are_passed_over_in_silence(name: str) -> None:
    assert (meaning(payload(name)) == Normalized()) == (name in SILENT)


def test_the_update_is_kept_for_study() -> None:
    body = payload("text_unknown_fields")

    assert meaning(body).arrivals[0].message.meta.raw == body


def test_nul_is_kept_out_of_the_raw_update_too() -> None:
    """PostgreSQL stores NUL in no JSON."""
    raw = only("text_with_nul").message.meta.raw

    assert raw["message"]["body"]["text"] == "допосле"


def test_everything_that_happens_to_one_message_is_an_event_of_its_own() -> None:
    """An edited and a deleted message keep their id; a repeat filter on the id alone would drop them."""
    arrivals = [only(name) for name in ("text", "edited", "edited_again", "removed")]

    assert len({one.event_key for one in arrivals}) == 4
    assert len({one.message.external_message_id for one in arrivals}) == 1


def test_two_bare_forwards_of_one_moment_are_two_messages() -> None:
    first, second = payload("forward_without_body"), payload("forward_without_body")
    second["message"]["link"]["message"]["mid"] = "mid.other"

    assert meaning(first).arrivals[0].event_key != meaning(second).arrivals[0].event_key


def test_an_edit_by_nobody_is_kept() -> None:
    body = payload("edited")
    del body["message"]["sender"]

    assert meaning(body).unknown == "an edit without its author"


def test_the_account_of_the_channel_is_named() -> None:
    assert meaning(payload("text"), account="second").arrivals[0].message.account == "second"


@pytest.mark.parametrize("name", ["other_account", "other_account_callback"])
def test_any_bot_is_believed_until_ours_is_known(name: str) -> None:
    assert meaning(payload(name), bot_id=None).arrivals


@pytest.mark.parametrize("name", ["own_text", "own_text_group", "other_bot_group"])
def test_no_bot_is_answered_while_ours_is_not_known(name: str) -> None:
    [arrival] = meaning(payload(name), bot_id=None).arrivals

    assert (arrival.own, arrival.message.event) == (True, "operator_message")


@pytest.mark.parametrize(
    ("name", "phone"),
    [
        ("contact_own", "+79990000001"),
        ("contact_escaped_twice", "+79990000001"),
        ("contact_own_hash_wrong", None),
        ("contact_own_without_hash", None),
        ("contact_of_another", None),
        ("text", None),
    ],
)
def test_a_phone_is_the_customers_only_when_max_signed_their_own_card(name: str, phone: str | None) -> None:
    """Clients are joined by their phone: a card put together by hand must not open a stranger's history."""
    assert only(name).message.client_phone == phone


def test_a_card_that_is_passed_on_proves_nothing() -> None:
    body = payload("contact_own")
    card = body["message"].pop("body")
    body["message"]["link"] = {"type": "forward", "message": card}

    [arrival] = meaning(body).arrivals
    assert arrival.message.client_phone is None
    assert arrival.message.media.contacts[0].phone == "+79990000001"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("79990000001", "+79990000001"),
        ("+7 (999) 000-00-01", "+79990000001"),
        ("89990000001", "+79990000001"),
        ("tel:+79990000001", "+79990000001"),
        ("375291234567", "+375291234567"),
        ("112", "112"),
        ("08001234567", "08001234567"),
        ("позвоните", "позвоните"),
    ],
)
def test_a_phone_is_written_internationally_where_it_can_be(written: str, read: str) -> None:
    body = payload("contact_own")
    body["message"]["body"]["attachments"][0]["payload"]["vcf_info"] = (
        f"BEGIN:VCARD\nTEL:{written}\nEND:VCARD"
    )

    assert meaning(body).arrivals[0].message.media.contacts[0].phone == read


@pytest.mark.parametrize(
    "buttons", [None, 5, [], [[]], [5], [[5]], [[{}]], [[{"payload": "yes", "text": 7}]], [{"text": "Да"}]]
)
def test_a_keyboard_that_cannot_be_read_leaves_the_payload(buttons: Any) -> None:
    body = payload("callback")
    body["message"]["body"]["attachments"][0]["payload"]["buttons"] = buttons

    assert meaning(body).arrivals[0].message.text == "yes"


def _paths(value: Any, start: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a body, the body itself included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [start, *(path for key, item in inner for path in _paths(item, (*start, key)))]


def _changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(body)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


@given(anything)
def test_no_body_makes_it_crash(body: Any) -> None:
    _loses_nothing(meaning(body))


@given(st.data())
def test_no_change_of_a_real_update_makes_it_crash_or_lose_it(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in NAMES if name not in SILENT]))
    body = payload(name)
    path = data.draw(st.sampled_from(_paths(body)))

    _loses_nothing(meaning(_changed(body, path, data.draw(anything))), edit=name.startswith("edited"))


@given(kinds, anything, anything)
def test_no_attachment_makes_it_crash(kind: str, content: Any, beside: Any) -> None:
    body = payload("text")
    attachment = {"type": kind, "payload": content, "latitude": beside, "filename": beside, "title": beside}
    body["message"]["body"]["attachments"] = [attachment]

    _loses_nothing(meaning(body))


def test_half_an_emoji_is_a_replacement_sign_and_no_crash() -> None:
    body = payload("text")
    body["message"]["body"]["text"] = "дорого \ud83d"

    assert meaning(body).arrivals[0].message.text == "дорого �"


def test_nul_in_the_name_of_an_attachment_is_dropped() -> None:
    body = payload("attachment_unknown")
    body["message"]["body"]["attachments"][0]["type"] = "holo\0gram"

    assert meaning(body).arrivals[0].message.media.documents[0].kind == "hologram"


def test_a_reason_does_not_repeat_the_customers_words() -> None:
    assert "secret" not in meaning({"update_type": ["my secret words"]}).unknown


def _loses_nothing(result: Normalized, *, edit: bool = False) -> None:
    """Either somebody hears of it or it is kept; and what is queued can be stored and read back."""
    assert result.arrivals or result.unknown or result.foreign or edit
    for arrival in result.arrivals:
        stored = arrival.message.model_dump_json()
        assert "\\u0000" not in stored
        assert IncomingMessage.model_validate_json(stored).external_message_id


def test_a_picture_is_marked_as_the_senders_mark_it() -> None:
    assert IMAGE_MARK == IMAGE_FINGERPRINT
