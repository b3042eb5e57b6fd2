"""WhatsApp through Wappi.pro, simulated from vendors/wappi.md."""
