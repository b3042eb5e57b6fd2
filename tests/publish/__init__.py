"""What `python -m publish` makes: bundles and server.json."""
