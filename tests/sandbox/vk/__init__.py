"""Tests of the simulated VK community."""
