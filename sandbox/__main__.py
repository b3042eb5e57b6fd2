"""`python -m sandbox`: settings, application, server."""

import sys

import uvicorn

from sandbox.app import build_app
from sandbox.more import more_vendors
from sandbox.settings import SettingsError, load_settings


def main() -> int:
    try:
        settings = load_settings()
        more = more_vendors()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    uvicorn.run(
        build_app(settings, more=more),
        host=settings.host,
        port=settings.port,
        log_level="info",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
