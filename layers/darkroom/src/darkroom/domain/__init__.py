"""The rules of a job, pure: no I/O, no clock, no randomness, no library outside the standard one."""
