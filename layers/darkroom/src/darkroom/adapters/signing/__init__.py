"""Tokens, links and signatures: of callers, share links, images, callbacks and snapshots."""
