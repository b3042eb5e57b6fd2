"""The same small agent with four frameworks (docs/agents.md). decision.py is what they share."""
