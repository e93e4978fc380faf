"""Many cases on the local stack."""
