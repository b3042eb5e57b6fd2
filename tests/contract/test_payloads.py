"""Every recorded body of every vendor: what it means, and that nothing about it is lost or doubled."""

from typing import Any

import pytest

from core.channel import Arrival, Normalized
from core.messages import IncomingMessage
from tests.contract.payloads import body, expected, pairs
from tests.contract.vendor_side import SIDES, VendorSide


def _shown(arrival: Arrival) -> dict[str, Any]:
    message = arrival.message.model_dump(mode="json", exclude_defaults=True)
    message["meta"].pop("raw", None)
    shown = {
        "event_key": arrival.event_key,
        "own": arrival.own,
        "fingerprint": arrival.fingerprint,
        "message": message,
    }
    return shown | ({"ends_chat": True} if arrival.ends_chat else {})


def _meaning(meaning: Normalized) -> Any:
    """As the files write it: a list of arrivals, or an object where there is more to say."""
    arrivals = [_shown(arrival) for arrival in meaning.arrivals]
    more: dict[str, Any] = {"unknown": meaning.unknown} if meaning.unknown else {}
    more |= {"foreign": sorted(meaning.foreign)} if meaning.foreign else {}
    if not more:
        return arrivals
    return more | ({"arrivals": arrivals} if arrivals else {})


@pytest.mark.parametrize(("channel", "name"), pairs())
def test_a_body_means_what_stands_beside_it(channel: str, name: str) -> None:
    vendor: VendorSide = SIDES[channel]()

    assert _meaning(vendor.meaning_of(body(channel, name))) == expected(channel, name)


@pytest.mark.parametrize(("channel", "name"), pairs())
def test_a_repeated_body_has_the_same_keys(channel: str, name: str) -> None:
    """The inbox tells repeats by them; the second delivery is another object of the same bytes."""
    vendor: VendorSide = SIDES[channel]()
    first, second = (vendor.meaning_of(body(channel, name)) for _ in range(2))

    assert [one.event_key for one in first.arrivals] == [one.event_key for one in second.arrivals]
    assert len({one.event_key for one in first.arrivals}) == len(first.arrivals)


@pytest.mark.parametrize(("channel", "name"), pairs())
def test_what_is_queued_can_be_read_again(channel: str, name: str) -> None:
    """The queue holds JSON; the orchestrator must find in it what the channel meant."""
    for arrival in SIDES[channel]().meaning_of(body(channel, name)).arrivals:
        assert IncomingMessage.model_validate_json(arrival.message.model_dump_json()) == arrival.message
