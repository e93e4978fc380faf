"""`make bench-recovery`: kill workers on the local stack, and measure how soon others go on."""
