"""Public SDKs, unmodified, as clients of the simulated vendors over real HTTP."""
