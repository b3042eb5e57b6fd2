"""Start the VK channel: settings -> client -> channel -> app -> serve (HTTP or --stdio)."""

from core.channel_service import ChannelService, start
from core.ids import AccountId
from core.registry import service
from core.tokens import TokenStores
from core.vendor_settings import load_accounts
from mcp_vk.channel import VkChannel
from mcp_vk.client import VkClient
from mcp_vk.settings import VkSettings
from mcp_vk.tools import vk_operations


def main() -> None:
    """Run until told to stop."""
    common, accounts = load_accounts(VkSettings)
    start(ChannelService(service("mcp_vk"), common, accounts, open_account, vk_operations))


def open_account(account: AccountId, settings: VkSettings, stores: TokenStores) -> VkChannel:
    """One community; connects to nothing. Its key does not expire, so no store of tokens is needed."""
    del stores
    return VkChannel(VkClient(settings), settings, account=account)


if __name__ == "__main__":
    main()
