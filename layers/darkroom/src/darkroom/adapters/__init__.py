"""The ways to the outside: one file for each thing outside."""
