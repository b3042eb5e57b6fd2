"""What only Instagram has: nothing that a conversation needs and the contract of all channels lacks."""

from collections.abc import Mapping

from core.ids import AccountId
from core.operations import Operation
from mcp_instagram.channel import InstagramChannel


def instagram_operations(accounts: Mapping[AccountId, InstagramChannel]) -> list[Operation]:
    """Operations to stand beside those of every channel."""
    del accounts
    return []
