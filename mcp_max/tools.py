"""What only MAX has: nothing yet that a conversation needs."""

from collections.abc import Mapping

from core.ids import AccountId
from core.operations import Operation
from mcp_max.channel import MaxChannel


def max_operations(accounts: Mapping[AccountId, MaxChannel]) -> list[Operation]:
    """Operations to stand beside those of every channel."""
    del accounts
    return []
