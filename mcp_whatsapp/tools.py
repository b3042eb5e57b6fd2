"""What only WhatsApp has: nothing yet that every channel's operations lack."""

from collections.abc import Mapping

from core.ids import AccountId
from core.operations import Operation
from mcp_whatsapp.channel import WhatsAppChannel


def whatsapp_operations(accounts: Mapping[AccountId, WhatsAppChannel]) -> list[Operation]:
    """Operations to stand beside those of every channel."""
    del accounts
    return []
