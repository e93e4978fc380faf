"""What tests and benches share: fakes, builders, virtual time, recorded answers."""
