"""Thousands of cases a minute, on a virtual clock."""
