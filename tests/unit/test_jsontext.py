"""JSON that strangers wrote: read, or refused with one error."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.jsontext import UnreadableJSON, read_json, without_surrogates, write_json

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=json_values)
def test_what_was_written_is_read_back(value: Any) -> None:
    assert read_json(write_json(value).encode()) == value


@given(raw=st.binary(max_size=60) | st.text(max_size=20).map(str.encode))
def test_bytes_are_read_or_refused_with_one_error(raw: bytes) -> None:
    with suppress(UnreadableJSON):
        read_json(raw)


@given(text=st.text(st.characters(), max_size=40))
def test_whatever_is_read_can_be_encoded(text: str) -> None:
    escaped = json.dumps({text: [text]})

    write_json(read_json(escaped.encode())).encode()


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"{'a': 1}", b"\xff\xfe", b"nul", b'{"a": NaN}', b"[Infinity]", b"[1] [2]", b"[" * 100_000],
    ids=["empty", "cut", "python", "not UTF-8", "word", "NaN", "Infinity", "two", "deep"],
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableJSON):
        read_json(raw)


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (rb'"\ud83d"', "�"),
        (rb'"\uD83D\uDE42"', "🙂"),
        (rb'{"\udc00": ["a\ud83db"]}', {"�": ["a�b"]}),
        (rb'"\\ud83d"', "\\ud83d"),
        (b'"\\u0000"', "\x00"),
        ('"привет"'.encode(), "привет"),
    ],
)
def test_half_an_emoji_loses_no_message(raw: bytes, read: Any) -> None:
    assert read_json(raw) == read


def test_cyrillic_is_written_as_it_is() -> None:
    assert write_json({"текст": "да"}) == '{"текст":"да"}'


def test_a_text_without_surrogates_is_left_alone() -> None:
    assert without_surrogates("🙂 да") == "🙂 да"
