"""Fakes: the ports in memory. tests/contract holds them to the promises of the real adapters."""
