"""What is handed out: .mcpb bundles and the MCP registry's server.json (docs/publishing.md)."""
