"""Logs are no part of what is measured, nor of what is read."""

import logging

import structlog


def be_quiet() -> None:
    """Only errors are told."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.disable(logging.WARNING)
