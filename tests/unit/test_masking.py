"""Our own secrets are masked in whatever form JSON writes them; nothing else is touched."""

import json

import pytest

from core.masking import Masking

SECRET = 'кл"юч\\-0123456789'


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_secret_is_masked_as_json_writes_it(ascii_only: bool) -> None:
    body = json.dumps({"secret": SECRET, "text": "слово"}, ensure_ascii=ascii_only).encode()
    assert json.loads(Masking([SECRET])(body)) == {"secret": "***", "text": "слово"}


@pytest.mark.parametrize("payload", [b"", b"\xff\x00", b"short", "слово".encode()])
def test_all_else_stays_as_it_is(payload: bytes) -> None:
    """Short secrets would be found in ordinary words."""
    assert Masking([SECRET, "short", ""])(payload) == payload


def test_a_secret_within_another_leaves_no_rest() -> None:
    assert Masking(["0123456789", "0123456789-and-more"])(b"0123456789-and-more") == b"***"
