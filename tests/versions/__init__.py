"""Releases side by side: what each stores and sends is read by the others."""
