"""The table: jobs, callbacks, quotas, counts and daily limits."""
