"""Changes of production code that break a promise each, to show that the promise's test would notice."""
