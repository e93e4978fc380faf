"""Benches: commands that print figures. Nothing here runs in a deployment."""
