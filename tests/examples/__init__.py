"""The examples of docs/agents.md with the frameworks themselves and a model that follows a script."""
