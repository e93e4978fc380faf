"""The rules of a job: pure functions on frozen data, without I/O, clock or randomness."""
