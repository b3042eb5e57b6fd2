"""The Instagram channel (Meta Graph API)."""
