"""All benchmarks, one after the other: ``python -m tests.benchmarks``, which is ``make bench``."""

from tests.benchmarks import bench_crepe

bench_crepe.main()
