"""What the agent does with a turn, the same whoever wrote it, and what it is told of that."""

from collections.abc import Mapping
from typing import Any

from tests.injection.shop import Shop

WRITING = ("reply", "hand_off", "update_appeal")
DEEDS = (*WRITING, "skip_turn")
#: What it says where it answers.
ANSWER = "Экран есть, замена за час."
#: How a turn ends; a form is nothing that can be answered, and is passed over.
ENDS = {"skip_turn": "closed", "reply": "queued", "hand_off": "handed_off", "update_appeal": "closed"}

Told = list[tuple[str, Any]]


async def do(shop: Shop, deed: str, turn: Mapping[str, Any]) -> Told:
    """Do it, and end the turn by it; [(tool, its answer)]."""
    lease = {name: turn[name] for name in ("turn_id", "lease_token")}
    if deed == "hand_off":
        return [(deed, await shop.tried(deed, **lease, reason="Просит человека"))]
    if deed == "reply":
        told = await _until_seen(shop, deed, lease, text=ANSWER)
        return told if "refused" not in told[-1][1] else [*told, *await _until_seen(shop, "skip_turn", lease)]
    told = [await _changed(shop, turn["appeal_id"])] if deed == "update_appeal" else []
    return [*told, *await _until_seen(shop, "skip_turn", lease)]


async def _changed(shop: Shop, appeal_id: str) -> tuple[str, Any]:
    change = {"status": "waiting_client", "priority": "high", "add_tags": ["экран"], "note": "Перезвонить"}
    return "update_appeal", await shop.tried("update_appeal", appeal_id=appeal_id, **change)


async def _until_seen(shop: Shop, tool: str, lease: Mapping[str, str], **words: str) -> Told:
    """Again with the token given, while the answer is what was written meanwhile."""
    told = [(tool, await shop.tried(tool, **lease, **words))]
    while told[-1][1].get("status") == "superseded":
        newer = {**lease, "lease_token": told[-1][1]["lease_token"]}
        told.append((tool, await shop.tried(tool, **newer, **words)))
    return told
