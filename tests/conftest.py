"""Fixtures for every test."""

from hypothesis import settings

from tests.engines_fixture import database_url, empty_database_url, engines, migrated, redis_url

__all__ = ["database_url", "empty_database_url", "engines", "migrated", "redis_url"]

# A busy machine is no fault of the code: how fast things are is what bench/ measures.
settings.register_profile("eldoleado", deadline=None)
settings.load_profile("eldoleado")
