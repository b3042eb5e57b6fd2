"""The VK channel: messages of a community."""
