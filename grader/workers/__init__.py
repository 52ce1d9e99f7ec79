"""The one seam that runs many jobs: this process, processes on this machine, or the workers of a Dask cluster.

A job is a picklable argument of one function, which every worker makes once for itself (its models stay loaded), and
the bytes it reads, by their hash. Results come back to the caller as they are ready, so that whoever keeps them does
so in one place. A job that raises, or whose worker dies, is tried once more and then given back as a
:class:`Failure` of that job alone.
"""

from grader.workers.content import Content
from grader.workers.jobs import Failure, Job
from grader.workers.machine import WORKER_BYTES, default_processes
from grader.workers.pool import Pool

__all__ = ["WORKER_BYTES", "Content", "Failure", "Job", "Pool", "default_processes"]
