"""Fixtures for every test."""

from tests.engines_fixture import database_url, engines, redis_url

__all__ = ["database_url", "engines", "redis_url"]
