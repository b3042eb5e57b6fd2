"""Start the MAX channel: settings -> client -> channel -> app -> serve (HTTP or --stdio)."""

from core.channel_service import ChannelService, start
from core.ids import AccountId
from core.registry import service
from core.tokens import TokenStores
from core.vendor_settings import load_accounts
from mcp_max.channel import MaxChannel
from mcp_max.client import MaxClient
from mcp_max.settings import MaxSettings
from mcp_max.tools import max_operations


def main() -> None:
    """Run until told to stop."""
    common, accounts = load_accounts(MaxSettings)
    start(ChannelService(service("mcp_max"), common, accounts, open_account, max_operations))


def open_account(account: AccountId, settings: MaxSettings, stores: TokenStores) -> MaxChannel:
    """One account; connects to nothing. A bot's token never changes, so none is stored."""
    del stores
    return MaxChannel(MaxClient(settings), settings, account=account)


if __name__ == "__main__":
    main()
