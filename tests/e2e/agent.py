"""The tests' own agent: takes the turns of one customer over the hub's REST and answers them."""

import re
from typing import Any

from tests.system import System, patiently


def turn_of(system: System, customer: str, *, account: str = "", seconds: float = 20) -> dict[str, Any]:
    """The next turn of this customer, of any account or of one; turns of others are given back."""
    others = []
    try:
        for _ in patiently(seconds):
            turn = system.post("orchestrator", "/api/turns/wait", {"wait_seconds": 1})
            if turn["status"] == "none":
                continue
            if _is_of(turn, customer) and account in ("", turn["account"]):
                return dict(turn)
            others.append(turn)
    finally:
        for turn in others:
            lease = {"lease_token": turn["lease_token"]}
            system.post("orchestrator", f"/api/turns/{turn['turn_id']}/release", lease)
    raise AssertionError(f"no turn of {customer} came")


def reply(system: System, turn: dict[str, Any], text: str, **more: Any) -> dict[str, Any]:
    """Answer a turn."""
    body = {"lease_token": turn["lease_token"], "text": text, **more}
    answer: dict[str, Any] = system.post("orchestrator", f"/api/turns/{turn['turn_id']}/reply", body)
    return answer


def delivered(
    system: System, delivery_id: str, *, state: str = "sent", seconds: float = 20
) -> dict[str, Any]:
    """The delivery once it is in that state."""
    delivery: dict[str, Any] = {}
    for _ in patiently(seconds):
        delivery = system.get("orchestrator", f"/api/deliveries/{delivery_id}")
        if delivery["state"] == state:
            return delivery
    raise AssertionError(f"still {delivery}")


def shown(
    system: System,
    customer: str,
    count: int,
    *,
    channel: str = "avito",
    sandbox: str = "sandbox",
    seconds: float = 20,
) -> list[str]:
    """The texts that the customer sees from us, once there are `count` of them."""
    texts: list[str] = []
    for _ in patiently(seconds):
        texts = [message["text"] for message in system.seen_by(customer, channel, sandbox=sandbox)]
        if len(texts) >= count:
            return texts
    raise AssertionError(f"{customer} sees {len(texts)} of {count} messages: {texts}")


def _is_of(turn: dict[str, Any], customer: str) -> bool:
    """By the name, or by the words: some messengers tell no name, or not in time on a busy machine."""
    named = re.compile(rf"(?<![\w-]){re.escape(customer)}(?![\w-])")
    words = [message["text_untrusted"] for message in turn["messages"]]
    return bool(turn["client_name_untrusted"] == customer or any(named.search(one) for one in words))
