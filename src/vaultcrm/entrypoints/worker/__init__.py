"""The worker: jobs that were deferred with what they belong to. `jobs` binds, `run` runs."""
