"""Bodies that no vendor should send: never an exception, and never an event that leaves no trace."""

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.channel import Normalized
from core.messages import IncomingMessage
from tests.contract.payloads import body, expected, names
from tests.contract.vendor_side import SIDES

#: Bodies that hold no event at all.
NOTHING_HAPPENED: list[Any] = [{}, [], {"messages": []}]

_text = st.text(st.characters(exclude_categories=()), max_size=20)
_wild: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text
    | st.sampled_from([10**30, -1, 0, "", "\x00", "0", "null", "2026-13-45T99:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a body, as the steps that lead there."""
    found = [path] if path else []
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        found += _places(inner, (*path, step))
    return found


def _changed(whole: Any, place: tuple[Any, ...], change: str, wild: Any) -> Any:
    whole = copy.deepcopy(whole)
    *way, last = place
    holder = whole
    for step in way:
        holder = holder[step]
    if change == "drop":
        del holder[last]
    elif change == "wrap":
        holder[last] = [holder[last]]
    elif change == "double" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[last]))
    else:
        holder[last] = wild
    return whole


@st.composite
def _mutated(draw: st.DrawFn, channel: str) -> Any:
    """A recorded body that means something, with one to three things wrong."""
    telling = [name for name in names(channel) if expected(channel, name) != []]
    whole = body(channel, draw(st.sampled_from(telling)))
    for _ in range(draw(st.integers(1, 3))):
        places = _places(whole)
        if not places:
            break
        change = draw(st.sampled_from(["drop", "wrap", "double", "replace", "replace"]))
        whole = _changed(whole, draw(st.sampled_from(places)), change, draw(_wild))
    return whole


def _leaves_a_trace(meaning: Normalized) -> bool:
    return bool(meaning.arrivals or meaning.unknown or meaning.foreign)


def _is_typing(body: Any) -> bool:
    """What moves a deadline and is kept nowhere: without its object, or to somebody else, it is nothing."""
    return isinstance(body, dict) and body.get("type") == "message_typing_state"


@pytest.mark.promise("wild-bodies")
@pytest.mark.parametrize("channel", sorted(SIDES))
@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_body_is_read_or_kept(channel: str, data: st.DataObject) -> None:
    damaged = data.draw(_mutated(channel))
    meaning = SIDES[channel]().meaning_of(damaged)

    assert _leaves_a_trace(meaning) or damaged in NOTHING_HAPPENED or _is_typing(damaged)
    for arrival in meaning.arrivals:
        assert arrival.event_key
        assert IncomingMessage.model_validate_json(arrival.message.model_dump_json()) == arrival.message


@pytest.mark.parametrize("channel", sorted(SIDES))
@given(anything=_wild)
@settings(max_examples=100, deadline=None)
def test_any_json_is_read_or_kept(channel: str, anything: Any) -> None:
    meaning = SIDES[channel]().meaning_of(anything)

    assert _leaves_a_trace(meaning) or anything == {}


@pytest.mark.parametrize("channel", sorted(SIDES))
@pytest.mark.parametrize("depth", [50, 400])
def test_a_body_nested_without_end_is_kept(channel: str, depth: int) -> None:
    nested: Any = json.loads("[" * depth + "]" * depth)
    for wrapped in (nested, {"payload": nested}, {"messages": nested}, {"message": nested}):
        assert _leaves_a_trace(SIDES[channel]().meaning_of(wrapped))
