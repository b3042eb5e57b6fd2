"""docs/authorization.md and its Russian twin tell the risk and the scope of every operation."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any, cast

import pytest

from core.letter_replays import LetterReplays
from core.operations import Operation
from orchestrator.hub_inbox import InboxDesk
from tests.tool_lists import SERVERS

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = ("authorization.md", "authorization.ru.md")
_ROW = re.compile(r"^\| (\w+) \| (\w+) \| ((?:`\w+`(?:, )?)+) \|$", re.MULTILINE)


def _operations() -> list[Operation]:
    nothing = cast(Any, None)
    beside = [
        *InboxDesk(nothing, nothing).operations(),
        *LetterReplays(cast(Any, {"default": None}), nothing, nothing, nothing).operations(),
    ]
    return [*beside, *(one for parts in SERVERS.values() for one in parts().operations)]


def _told(page: str) -> dict[tuple[str, str], set[str]]:
    rows = _ROW.findall((DOCS / page).read_text("utf-8"))
    return {(risk, scope): set(re.findall(r"\w+", names)) for risk, scope, names in rows}


@pytest.mark.promise("scopes")
@pytest.mark.parametrize("page", PAGES)
async def test_the_page_names_every_operation_with_its_risk_and_scope(page: str) -> None:
    """An owner who gives a key away reads there what it opens."""
    told: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in _operations():
        told[one.risk, one.scope].add(one.name)

    assert _told(page) == dict(told)
