"""The `eldoleado` command: run everything on embedded engines, serve one service, migrate, check."""
