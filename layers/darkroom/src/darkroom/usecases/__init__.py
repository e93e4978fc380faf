"""The use cases: one verb a file, each serves one request. They reach AWS only through the ports."""
