"""Stand-ins for the outside world, for tests and benchmarks. Nothing here is shipped."""
