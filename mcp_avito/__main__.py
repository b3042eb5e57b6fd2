"""Start the Avito channel: settings -> client -> channel -> app -> serve (HTTP or --stdio)."""

from core.channel_service import ChannelService, start
from core.ids import AccountId
from core.registry import service
from core.tokens import TokenStores
from core.vendor_settings import load_accounts
from mcp_avito.channel import AvitoChannel
from mcp_avito.client import AvitoClient
from mcp_avito.settings import AvitoSettings
from mcp_avito.tools import avito_operations


def main() -> None:
    """Run until told to stop."""
    common, accounts = load_accounts(AvitoSettings)
    start(ChannelService(service("mcp_avito"), common, accounts, open_account, avito_operations))


def open_account(account: AccountId, settings: AvitoSettings, stores: TokenStores) -> AvitoChannel:
    """One account; connects to nothing."""
    seed = f"{settings.client_id}:{settings.client_secret.get_secret_value()}"
    return AvitoChannel(AvitoClient(settings, store=stores.of(account, seed=seed)), settings, account=account)


if __name__ == "__main__":
    main()
