"""Signatures: of callers' tokens, share links, image links, callbacks and snapshots."""
