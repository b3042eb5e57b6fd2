"""Start the WhatsApp channel: settings -> client -> channel -> app -> serve (HTTP or --stdio)."""

from core.channel_service import ChannelService, start
from core.ids import AccountId
from core.registry import service
from core.tokens import TokenStores
from core.vendor_settings import load_accounts
from mcp_whatsapp.channel import WhatsAppChannel
from mcp_whatsapp.client import WappiClient
from mcp_whatsapp.settings import WhatsAppSettings
from mcp_whatsapp.tools import whatsapp_operations


def main() -> None:
    """Run until told to stop."""
    common, accounts = load_accounts(WhatsAppSettings)
    start(ChannelService(service("mcp_whatsapp"), common, accounts, open_account, whatsapp_operations))


def open_account(account: AccountId, settings: WhatsAppSettings, stores: TokenStores) -> WhatsAppChannel:
    """One account; connects to nothing. Wappi's token never changes, so none is stored."""
    del stores
    return WhatsAppChannel(WappiClient(settings), settings, account=account)


if __name__ == "__main__":
    main()
