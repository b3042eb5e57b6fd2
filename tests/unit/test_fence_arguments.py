"""Every argument of what a token of one appeal opens is one that the fence asks about, or was judged."""

import pytest

from core.channel_fence import OPEN as AT_CHANNELS
from core.fence import NAMING
from core.operations import Operation
from core.registry import CHANNELS
from orchestrator.hub_fence import OPEN
from tests.servers import SERVERS

pytestmark = pytest.mark.promise("one-conversation")

#: Words and wishes of the caller; they lead to nothing that is kept.
WORDS = {
    "add_tags",
    "agent",
    "button",
    "buttons",
    "caption",
    "file_base64",
    "file_kind",
    "file_name",
    "file_url",
    "force",
    "idempotency_key",
    "image_base64",
    "image_url",
    "kind",
    "language",
    "note",
    "priority",
    "reason",
    "remove_tags",
    "send_at",
    "sender",
    "snooze_until",
    "text",
    "wait_seconds",
}
#: Say which of a list that shows the token's own only, or are asked about together with an id.
BESIDE_A_NAME = {"account", "channel", "cursor", "lease_token", "limit", "status"}


def of(service: str) -> list[Operation]:
    """What a token opens there."""
    opened = OPEN if service == "hub" else AT_CHANNELS
    return [one for one in SERVERS[service]().operations if one.name in opened]


@pytest.mark.parametrize("service", ["hub", *(one.channel for one in CHANNELS)])
async def test_every_argument_of_what_is_open_is_asked_about_or_was_judged(service: str) -> None:
    """A new one is a failure here until somebody says what it names: the fence asks only of what it knows."""
    unknown = {
        (one.name, argument)
        for one in of(service)
        for argument in one.arguments.model_fields
        if argument not in NAMING | WORDS | BESIDE_A_NAME
    }

    assert unknown == set()


async def test_the_places_of_resources_and_prompts_are_asked_about_or_were_judged() -> None:
    """They become arguments."""
    parts = SERVERS["hub"]()
    places = {one.arguments.get(name, name) for one in parts.resources for name in one.placeholders}
    arguments = {name for one in parts.prompts for name in one.arguments.model_fields}

    assert places <= NAMING | BESIDE_A_NAME
    assert arguments <= NAMING | WORDS


async def test_nothing_was_judged_that_is_asked_about_or_is_not_there() -> None:
    services = ("hub", *(one.channel for one in CHANNELS))
    there = {name for service in services for one in of(service) for name in one.arguments.model_fields}

    assert set() == (WORDS | BESIDE_A_NAME) & NAMING
    assert (WORDS | BESIDE_A_NAME) - there == {"language"}, "of prompts"
