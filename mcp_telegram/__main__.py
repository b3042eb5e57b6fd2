"""Start the Telegram channel: settings -> client -> channel -> app -> serve (HTTP or --stdio)."""

from core.channel_service import ChannelService, start
from core.ids import AccountId
from core.registry import service
from core.tokens import TokenStores
from core.vendor_settings import load_accounts
from mcp_telegram.channel import TelegramChannel
from mcp_telegram.client import TelegramClient
from mcp_telegram.settings import TelegramSettings
from mcp_telegram.tools import telegram_operations


def main() -> None:
    """Run until told to stop."""
    common, accounts = load_accounts(TelegramSettings)
    start(
        ChannelService(service("mcp_telegram"), common, accounts, open_account, telegram_operations),
    )


def open_account(account: AccountId, settings: TelegramSettings, _: TokenStores) -> TelegramChannel:
    """One bot; connects to nothing. A bot's token lives until its owner revokes it, so none is stored."""
    return TelegramChannel(TelegramClient(settings), settings, account=account)


if __name__ == "__main__":
    main()
