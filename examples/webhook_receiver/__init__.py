"""An agent that sleeps until the hub calls it: verify, take the turn, say 2xx, answer."""
