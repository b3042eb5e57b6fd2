"""The official conformance suite, the MCP Inspector and clients of other makes: `make conformance`."""
