"""Start the Avito channel: settings -> client -> channel -> app -> serve (HTTP or --stdio)."""

from core.channel_service import ChannelService, start
from core.echoes import fingerprint
from core.ids import DEFAULT_ACCOUNT
from core.registry import service
from core.settings import ServiceSettings, load, secret_texts
from mcp_avito.channel import AvitoChannel
from mcp_avito.client import AvitoClient
from mcp_avito.settings import AvitoSettings
from mcp_avito.tools import avito_operations


def main() -> None:
    """Run until told to stop."""
    common, own = load(ServiceSettings, AvitoSettings)
    channel = AvitoChannel(AvitoClient(own), own, fingerprint=fingerprint)
    accounts = {DEFAULT_ACCOUNT: channel}
    start(
        ChannelService(service("mcp_avito"), common, accounts, avito_operations(accounts)),
        secrets=secret_texts(own),
    )


if __name__ == "__main__":
    main()
