"""Logs are one JSON line per event, and a secret never stands in one."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from core.observability import Metrics, configure_logging

SECRET = "not-a-real-secret-0123456789"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the process writes, with logging restored afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging("tested", level="INFO", console=False, secrets=[SECRET], stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_an_event_is_one_json_line_with_its_facts(log: io.StringIO) -> None:
    """Cyrillic stays readable."""
    structlog.get_logger().info("delivery", chat="чат")

    [line] = log.getvalue().splitlines()
    said = json.loads(line)
    assert (said["event"], said["chat"]) == ("delivery", "чат")
    assert (said["service"], said["level"]) == ("tested", "info")
    assert "чат" in line


@pytest.mark.promise("no-secrets")
def test_a_secret_is_masked_wherever_it_comes_from(log: io.StringIO) -> None:
    """In a value, in a library's line, in a traceback."""
    structlog.get_logger().info("call", url=f"https://x/?key={SECRET}")
    logging.getLogger("library").warning("token %s refused", SECRET)
    try:
        raise ValueError(SECRET)
    except ValueError:
        structlog.get_logger().exception("broke")

    assert len(log.getvalue().splitlines()) == 3
    assert SECRET not in log.getvalue()
    assert "***" in log.getvalue()


HOSTILE = [
    'ok\n{"event":"erased","level":"info"}',
    "ok\r\nINFO erased",
    'ok\u2028{"event":"erased"}',
    "ok\x85forged",
    "ok\x1b[2J\x1b[31mforged",
    "ok\u202edegrof",
    "ok\U000e0041\U000e0042",
]


@pytest.mark.promise("untrusted")
@pytest.mark.parametrize("words", HOSTILE)
def test_nobodys_words_make_a_line_of_the_log(log: io.StringIO, words: str) -> None:
    """Nor move the cursor of a terminal; the values stay what they were."""
    structlog.get_logger().info("told", words=words)
    logging.getLogger("library").warning("library: %s", words)

    lines = log.getvalue().splitlines()
    assert [json.loads(line).get("words") for line in lines] == [words, None]
    assert not any(ord(sign) < 32 or sign in "\x85\u2028\u202e\x9b" for line in lines for sign in line)
    assert "\U000e0041" not in log.getvalue()


@pytest.mark.promise("untrusted")
@pytest.mark.parametrize("words", HOSTILE)
def test_nobodys_words_make_a_line_of_a_console(words: str) -> None:
    before = logging.getLogger().handlers[:]
    stream = io.StringIO()
    configure_logging("tested", level="INFO", console=True, stream=stream)
    try:
        structlog.get_logger().info("told", words=words)
        logging.getLogger("library").warning("library: %s", words)
    finally:
        logging.getLogger().handlers[:] = before
        structlog.reset_defaults()

    assert len(stream.getvalue().splitlines()) == 2
    assert "\x1b" not in stream.getvalue()


def test_metrics_are_prometheus_text() -> None:
    """Each process has a registry of its own."""
    metrics, others = Metrics(), Metrics()
    metrics.sends.labels("avito", "sent").inc()

    body, content_type = metrics.exposition()

    assert b'eldoleado_sends_total{channel="avito",outcome="sent"} 1.0' in body
    assert content_type.startswith("text/plain")
    assert b'outcome="sent"' not in others.exposition()[0]


@pytest.mark.promise("no-secrets")
@pytest.mark.parametrize("console", [False, True])
def test_a_traceback_shows_no_local_variables(console: bool) -> None:
    """They hold what nobody listed as a secret: a password taken out of an address, a customer's words."""
    before = logging.getLogger().handlers[:]
    stream = io.StringIO()
    configure_logging("tested", level="INFO", console=console, stream=stream)
    unlisted = "".join(["a-password", "-inside-an-address"])
    try:
        raise ConnectionError(f"refused after {len(unlisted)} signs")
    except ConnectionError:
        structlog.get_logger().exception("broke")
    finally:
        logging.getLogger().handlers[:] = before
        structlog.reset_defaults()

    assert "refused after 28 signs" in stream.getvalue()
    assert "a-password-inside-an-address" not in stream.getvalue()
