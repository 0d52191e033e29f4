"""Medians, ratios of pairs, and how sure they are."""

import random
import statistics

RESAMPLES = 10_000


class Ratio:
    """The median of the paired ratios, and its 95 % bootstrap interval."""

    def __init__(self, middle, low, high):
        self.middle, self.low, self.high = middle, low, high

    @classmethod
    def of_pairs(cls, values, references):
        ratios = [value / reference for value, reference in zip(values, references, strict=True)]
        chance = random.Random(1)
        medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
        return cls(statistics.median(ratios), medians[RESAMPLES // 40], medians[-RESAMPLES // 40 - 1])

    def is_at_least(self, bound):
        """The whole interval is on the good side."""
        return self.low >= bound

    def is_at_most(self, bound):
        return self.high <= bound

    def holds(self, value):
        return self.low <= value <= self.high

    def __str__(self):
        return f"{self.middle:.2f} [{self.low:.2f}, {self.high:.2f}]"

    def as_json(self):
        return {"median": self.middle, "low": self.low, "high": self.high}


def percentile(values, share):
    """The value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
