"""A served 360dialog for every provider test that asks for it."""

from airflow_provider_d360.emulator.testing import d360_emulator

__all__ = ["d360_emulator"]
