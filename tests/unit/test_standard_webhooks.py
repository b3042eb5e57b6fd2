"""Signatures as the specification has them: its published library is the other side."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from examples.webhook_receiver.signature import TOLERANCE_SECONDS, verified
from orchestrator.standard_webhooks import keys_of, signed

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()
NOW = 1_674_087_231


def headers(secrets: str = SECRET, *, body: bytes = b"{}", at: int = NOW) -> dict[str, str]:
    return signed(keys_of(secrets), webhook_id="msg_1", timestamp=at, body=body)


@pytest.mark.promise("signed-webhook")
@given(body=st.text().map(str.encode), key=st.binary(min_size=24, max_size=64))
def test_our_signature_is_the_librarys(body: bytes, key: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    made = headers(secret, body=body)

    at = datetime.fromtimestamp(NOW, UTC)
    assert made["webhook-signature"] == Webhook(secret).sign("msg_1", at, body.decode())
    assert verified(secret, made, body, now=NOW)


def test_while_a_secret_is_replaced_both_receivers_are_content() -> None:
    made = headers(f"{OTHER}, {SECRET}")

    assert made["webhook-signature"].count("v1,") == 2
    assert verified(SECRET, made, b"{}", now=NOW)
    assert verified(OTHER, made, b"{}", now=NOW)


@pytest.mark.promise("signed-webhook")
@pytest.mark.parametrize(
    ("changed", "body", "now"),
    [
        ({}, b"{ }", NOW),
        ({"webhook-id": "msg_2"}, b"{}", NOW),
        ({"webhook-timestamp": str(NOW + 1)}, b"{}", NOW),
        ({"webhook-timestamp": "soon"}, b"{}", NOW),
        ({"webhook-signature": ""}, b"{}", NOW),
        ({"webhook-signature": "v1,\u00e9 v2,x x"}, b"{}", NOW),
        ({}, b"{}", NOW + TOLERANCE_SECONDS + 1),
        ({}, b"{}", NOW - TOLERANCE_SECONDS - 1),
    ],
)
def test_the_receiver_of_the_example_refuses_what_the_library_refuses(
    changed: dict[str, str], body: bytes, now: int
) -> None:
    made = headers() | changed

    assert not verified(SECRET, made, body, now=now)
    with pytest.raises((WebhookVerificationError, ValueError)):
        Webhook(SECRET).verify(body.decode(), made)  # by the machine's clock, which is far from NOW


def test_a_missing_header_is_refused() -> None:
    assert not verified(SECRET, {}, b"{}", now=NOW)


@pytest.mark.parametrize("secret", ["C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_%%%", "whsec_YWJj", "whsec_"])
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_") as refused:
        keys_of(secret)

    assert secret.removeprefix("whsec_") not in str(refused.value) or secret == "whsec_"
