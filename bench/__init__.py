"""Benches: commands that print measurements. Nothing here runs in a deployment."""
