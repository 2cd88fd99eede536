"""``deepret report table``: scores descriptors on benchmarks; its tables are written by deepret.reports.tables."""
