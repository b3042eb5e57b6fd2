"""Secrets of a local run."""

import stat
from pathlib import Path

from launcher.keyring import open_keyring, secrets_file


def test_secrets_are_long_different_and_private(tmp_path: Path) -> None:
    open_keyring(tmp_path)

    lines = secrets_file(tmp_path).read_text().splitlines()[1:]
    values = [line.split("=", 1)[1] for line in lines]
    assert len(set(values)) == len(values)
    assert min(map(len, values)) >= 43  # 32 bytes
    assert stat.S_IMODE(secrets_file(tmp_path).stat().st_mode) == 0o600


def test_the_second_run_has_the_secrets_of_the_first(tmp_path: Path) -> None:
    assert open_keyring(tmp_path).api_keys == open_keyring(tmp_path).api_keys


def test_a_secret_that_a_newer_version_needs_is_added(tmp_path: Path) -> None:
    first = open_keyring(tmp_path)
    file = secrets_file(tmp_path)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("SANDBOX_AVITO_CLIENT_ID")))

    again = open_keyring(tmp_path, lambda size: "new")

    assert again["SANDBOX_AVITO_CLIENT_ID"] == "new"
    assert again.api_keys == first.api_keys


def test_secrets_do_not_show_in_a_representation(tmp_path: Path) -> None:
    keyring = open_keyring(tmp_path)
    assert keyring["SANDBOX_AVITO_CLIENT_ID"] not in repr(vars(keyring))
