"""Start the Instagram channel: settings -> client -> channel -> app -> serve (HTTP or --stdio)."""

from core.channel_service import ChannelService, start
from core.ids import AccountId
from core.registry import service
from core.tokens import TokenStores
from core.vendor_settings import load_accounts
from mcp_instagram.channel import InstagramChannel
from mcp_instagram.client import InstagramClient
from mcp_instagram.settings import InstagramSettings, tell_apart
from mcp_instagram.tools import instagram_operations


def main() -> None:
    """Run until told to stop."""
    common, accounts = load_accounts(InstagramSettings)
    tell_apart(accounts)
    start(ChannelService(service("mcp_instagram"), common, accounts, open_account, instagram_operations))


def open_account(account: AccountId, settings: InstagramSettings, stores: TokenStores) -> InstagramChannel:
    """One account; connects to nothing."""
    store = stores.of(account, seed=settings.access_token.get_secret_value())
    return InstagramChannel(InstagramClient(settings, store=store), settings, account=account)


if __name__ == "__main__":
    main()
