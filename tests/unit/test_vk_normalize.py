"""What VK's events mean: one pair of files per type and quirk, and nothing that makes it crash."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.channel import Arrival, Normalized
from core.echoes import IMAGE_FINGERPRINT
from core.ids import AccountId
from core.messages import IncomingMessage
from mcp_vk.normalize import DEEPEST, IMAGE_MARK, Here, history_arrivals, normalize
from mcp_vk.schemas import Message, moment

PAYLOADS = Path(__file__).parent.parent / "payloads" / "vk"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in PAYLOADS.glob("*.expected.json"))
GROUP = 2_200_033
NOW = moment(1_763_800_183)
SECRET = "s3cr3t-0123456789"

wild_text = st.text(st.characters(exclude_categories=()), max_size=20) | st.just("https://a\0")
keys = wild_text | st.sampled_from(
    ["type", "photo", "sizes", "url", "width", "text", "id", "owner_id", "attachments", "fwd_messages", "geo"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | wild_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
attached = st.sampled_from(
    ["photo", "audio_message", "doc", "video", "sticker", "link", "market", "wall", "graffiti", "novelty"]
)
gestures = st.sampled_from(
    ["message_event", "message_allow", "message_deny", "message_read", "message_reaction_event"]
)
MESSAGE_FIELDS = (
    *("id", "date", "peer_id", "from_id", "out", "text", "conversation_message_id", "attachments", "payload"),
    *("fwd_messages", "reply_message", "geo", "action", "random_id", "admin_author_id", "update_time", "ref"),
)


def meaning(body: Any, account: str = "default") -> Normalized:
    assert NOW is not None
    return normalize(body, Here(AccountId(account), GROUP, NOW, lambda text: f"<{text}>"))


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


def test_a_picture_is_marked_as_the_senders_mark_it() -> None:
    assert IMAGE_MARK == IMAGE_FINGERPRINT


def test_events_of_one_message_are_told_apart() -> None:
    """A message, its edits within one second, and what is said about another one."""
    names = ["text", "edit", "edit_second", "own_echo", "edit_own", "message_read", "reaction"]
    keys = [only(name).event_key for name in [*names, "reaction_taken_back"]]

    assert len(set(keys)) == len(keys)


def test_the_same_reaction_given_twice_is_two_events() -> None:
    again = payload("reaction") | {"event_id": "another"}

    assert meaning(again).arrivals[0].event_key != only("reaction").event_key


def test_a_consent_without_an_event_id_is_known_by_its_content() -> None:
    first, other = payload("without_event_id"), payload("without_event_id")
    other["object"]["key"] = "k2"

    keys = [meaning(body).arrivals[0].event_key for body in (first, first, other)]
    assert keys[0] == keys[1] != keys[2]


def test_the_message_is_kept_for_study_and_the_secret_is_not() -> None:
    body = payload("text_unknown_fields")
    raw = meaning(body).arrivals[0].message.meta.raw

    assert raw == body["object"]["message"]
    for name in NAMES:
        assert SECRET not in "".join(one.message.model_dump_json() for one in meaning(payload(name)).arrivals)


def test_the_account_of_the_channel_is_named() -> None:
    assert meaning(payload("text"), "second").arrivals[0].message.account == "second"


def test_a_person_who_wrote_by_hand_is_never_taken_for_our_echo() -> None:
    """Our sends have a random_id and no author; with either sign of ours the words are compared."""
    body = payload("operator")
    marks = []
    for random_id, author in ((0, 1001), (918, 1001), (0, None)):
        body["object"] |= {"random_id": random_id, "admin_author_id": author}
        marks.append(meaning(body).arrivals[0].fingerprint)

    assert marks == ["", "<Сейчас посмотрю>", "<Сейчас посмотрю>"]


def test_the_history_tells_a_message_and_its_edit_by_the_webhooks_keys() -> None:
    assert NOW is not None
    row = Message.model_validate(payload("edit")["object"])
    here = Here(AccountId("default"), GROUP, NOW, str)

    message, edit = history_arrivals([None, row], here)

    assert (message.event_key, edit.event_key) == (only("text").event_key, only("edit").event_key)


def test_forwards_may_nest_far_deeper_than_what_is_kept_for_study() -> None:
    body = payload("text")
    inner: dict[str, Any] = {"text": "самое внутреннее", "fwd_messages": []}
    for number in range(100):
        inner = {"text": str(number), "fwd_messages": [inner]}
    body["object"]["message"]["fwd_messages"] = [inner]

    [arrival] = meaning(body).arrivals
    assert "самое внутреннее" in arrival.message.text
    assert "…" in json.dumps(arrival.message.meta.raw, ensure_ascii=False)
    assert DEEPEST < 100
    _survives_storage(meaning(body))


def test_a_product_hides_the_link_that_led_here() -> None:
    body = payload("product")
    body["object"]["message"]["ref"] = "shop"

    meta = meaning(body).arrivals[0].message.meta
    assert (meta.ad_id, meta.ad_price) == ("market-2200033_1", "4 500 ₽")


def test_half_an_emoji_is_no_crash() -> None:
    body = payload("text")
    body["object"]["message"]["text"] = "a\ud83d"

    assert meaning(body).arrivals[0].message.text == "a�"
    _survives_storage(meaning(body))


def test_a_reason_does_not_repeat_the_customers_words() -> None:
    body = payload("text")
    body["object"]["message"]["peer_id"] = ["my secret words"]

    assert "secret words" not in meaning(body).unknown


@given(anything)
def test_no_body_makes_it_crash(body: Any) -> None:
    result = meaning(body)

    assert result.arrivals or result.unknown or result.foreign


@given(attached, anything)
def test_no_attachment_makes_it_crash_or_loses_the_message(kind: str, content: Any) -> None:
    body = payload("text")
    body["object"]["message"]["attachments"] = [{"type": kind, kind: content}, content]

    result = meaning(body)
    assert len(result.arrivals) == 1
    _survives_storage(result)


@given(st.sampled_from(MESSAGE_FIELDS), anything)
def test_no_field_of_a_wrong_type_makes_it_crash_or_loses_the_message(field: str, value: Any) -> None:
    body = payload("text")
    body["object"]["message"][field] = value

    _survives_storage(meaning(body))


@given(
    gestures, st.dictionaries(keys | st.sampled_from(["user_id", "peer_id", "cmid"]), anything, max_size=5)
)
def test_no_gesture_makes_it_crash(kind: str, given_object: dict[str, Any]) -> None:
    _survives_storage(meaning({"type": kind, "group_id": GROUP, "object": given_object}))


@given(st.sampled_from([name for name in NAMES if name not in {"typing", "not_an_object"}]), st.data())
def test_no_damage_to_a_real_event_loses_it(name: str, data: st.DataObject) -> None:
    body = copy.deepcopy(payload(name))
    holder = body
    while True:
        steps: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        step = data.draw(st.sampled_from(steps))
        inner = holder[step]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        holder = inner
    holder[step] = data.draw(anything)

    result = meaning(body)
    assert result.arrivals or result.unknown or result.foreign or body.get("type") == "message_typing_state"
    _survives_storage(result)


def _survives_storage(result: Normalized) -> None:
    """What becomes a message can be written to the queue and read back."""
    for arrival in result.arrivals:
        stored = arrival.message.model_dump_json()
        assert "\\u0000" not in stored
        assert IncomingMessage.model_validate_json(stored).external_message_id
        assert arrival.event_key
