"""The WhatsApp channel, through Wappi.pro."""
