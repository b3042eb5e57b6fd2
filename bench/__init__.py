"""How fast, beside what: each figure stands next to its floor or peer, measured in the same run."""
