"""Simulated customers who try an agent on the real system, and what must hold of its answers."""
