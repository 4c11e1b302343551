"""`stillsky simulate`: a capture with a known truth."""

from tasks.benchmark.simulate import simulate

__all__ = ["simulate"]
