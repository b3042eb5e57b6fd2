"""PostgreSQL: migrations, named queries, and the transactions that keep the promises of the orchestrator."""
