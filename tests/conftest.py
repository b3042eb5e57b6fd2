"""Fixtures for every test."""

from tests.engines_fixture import database_url, empty_database_url, engines, migrated, redis_url

__all__ = ["database_url", "empty_database_url", "engines", "migrated", "redis_url"]
