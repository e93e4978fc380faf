"""Code that tests and benches share: fakes, builders, virtual time, recorded responses."""
