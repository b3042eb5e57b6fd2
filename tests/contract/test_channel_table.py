"""The document that people choose a channel by says what the channels say."""

import os
from pathlib import Path

from tests.contract.channel_table import page

DOCUMENT = Path(__file__).parents[2] / "docs" / "channels.md"


def test_the_table_of_channels_is_what_the_channels_say() -> None:
    if os.environ.get("UPDATE_SNAPSHOTS"):
        DOCUMENT.write_text(page(), encoding="utf-8")

    assert DOCUMENT.read_text(encoding="utf-8") == page()
