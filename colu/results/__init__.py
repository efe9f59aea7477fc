"""Statistics of repeated runs: mean, 95 % interval, n, and paired differences."""

from colu.results.statistics import PairedDifference, Summary, paired_difference, summarise

__all__ = ["PairedDifference", "Summary", "paired_difference", "summarise"]
