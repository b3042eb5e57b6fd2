"""What Avito's pushes mean: one pair of files per type and quirk, and nothing that makes it crash."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.channel import Normalized
from core.echoes import IMAGE_FINGERPRINT
from core.ids import AccountId
from core.messages import IncomingMessage
from mcp_avito.normalize import IMAGE_MARK, normalize

PAYLOADS = Path(__file__).parent.parent / "payloads" / "avito"
NAMES = sorted(path.name.removesuffix(".expected.json") for path in PAYLOADS.glob("*.expected.json"))
ACCOUNT = 701000001

wild_text = st.text(st.characters(exclude_categories=()), max_size=20) | st.just("https://a\0")
keys = wild_text | st.sampled_from(["sizes", "1x1", "2x2", "text", "url", "voice_id", "title", "lat", "lon"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | wild_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(
    [
        "text",
        "image",
        "voice",
        "link",
        "item",
        "location",
        "call",
        "system",
        "deleted",
        "appCall",
        "file",
        "video",
        "novelty",
    ]
)


def meaning(body: Any, user_id: int | None = ACCOUNT) -> Normalized:
    return normalize(
        body, user_id=user_id, account=AccountId("default"), fingerprint=lambda text: f"<{text}>"
    )


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def test_every_payload_has_its_expectation() -> None:
    bodies = {path.name.removesuffix(".json") for path in PAYLOADS.glob("*.json")} - {
        f"{name}.expected" for name in NAMES
    }

    assert bodies == set(NAMES)


def test_the_vendors_own_value_is_kept_for_study() -> None:
    body = payload("text_unknown_fields")

    assert meaning(body).arrivals[0].message.meta.raw == body["payload"]["value"]


def test_nul_is_kept_out_of_the_raw_value_too() -> None:
    """PostgreSQL stores NUL in no JSON."""
    raw = meaning(payload("text_with_nul")).arrivals[0].message.meta.raw

    assert raw["content"] == {"text": "допосле"}


def test_a_deletion_is_another_event_than_the_message_that_it_deletes() -> None:
    """A deleted message keeps its id (contract §6.3); a repeat filter on the id alone would drop it."""
    keys = {meaning(payload(name)).arrivals[0].event_key for name in ("text", "deleted")}

    assert len(keys) == 2


def test_the_account_of_the_channel_is_named() -> None:
    result = normalize(payload("text"), user_id=None, account=AccountId("second"), fingerprint=str)

    assert result.arrivals[0].message.account == "second"


def test_any_account_is_believed_until_ours_is_known() -> None:
    assert meaning(payload("other_account"), user_id=None).arrivals


@given(anything)
def test_no_body_is_lost_without_a_word(body: Any) -> None:
    result = meaning(body)

    assert result.arrivals or result.unknown or body == {}


@given(kinds, anything)
def test_no_content_makes_it_crash(kind: str, content: Any) -> None:
    body = payload("text")
    body["payload"]["value"] |= {"type": kind, "content": content}

    _survives_storage(meaning(body))


@given(st.sampled_from(sorted(payload("text")["payload"]["value"])), anything)
def test_no_field_of_a_wrong_type_makes_it_crash(field: str, value: Any) -> None:
    body = payload("text")
    body["payload"]["value"][field] = value

    _survives_storage(meaning(body))


@given(kinds, st.sampled_from(["text", "image", "voice", "link", "item", "location", "call"]), anything)
def test_no_part_of_a_content_makes_it_crash(kind: str, part: str, value: Any) -> None:
    body = payload("text")
    body["payload"]["value"] |= {"type": kind, "content": {part: value}, "novelty": value}

    _survives_storage(meaning(body))


def test_half_an_emoji_is_a_reason_and_no_crash() -> None:
    body = payload("text")
    body["payload"]["value"]["chat_id"] = "u2i-\ud83d"

    assert meaning(body).unknown.startswith("chat_id: ")


def test_a_reason_does_not_repeat_the_customers_words() -> None:
    body = payload("text")
    body["payload"]["value"]["chat_id"] = ["my secret words"]

    assert "secret" not in meaning(body).unknown


def _survives_storage(result: Normalized) -> None:
    """Something is told of it, and what becomes a message can be written to the queue and read back."""
    assert result.arrivals or result.unknown
    for arrival in result.arrivals:
        stored = arrival.message.model_dump_json()
        assert "\\u0000" not in stored
        assert IncomingMessage.model_validate_json(stored).external_message_id


def test_a_picture_is_marked_as_the_senders_mark_it() -> None:
    assert IMAGE_MARK == IMAGE_FINGERPRINT
