"""Programs to copy from; they speak MCP and import nothing of ours."""
