"""The JSON that crosses Darkroom's borders: camelCase names, checked on the way in.

Callers' requests refuse unknown fields, so that a typing error is noticed; events and snapshots
between our own functions ignore them, because old and new versions overlap during a deploy.
"""
