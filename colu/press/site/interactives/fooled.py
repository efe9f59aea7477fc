"""Am I fooled?: what papers print and claim when nothing is true, by how they choose and how they test."""

from __future__ import annotations

__all__ = ["CASES", "chance", "twin"]

PAPERS, SEEDS, LEVEL = 100, 5, 0.05
#: Title, how many tries a paper makes, and whether its test counts them.
CASES = (("one try", 1, False), ("ten tries, the best alone", 10, False), ("ten tries, Holm over all", 10, True))


def chance(tries: int, family: int) -> float:
    """Of a claim, if nothing is true: of so many leads the clearest is below the first level of Holm over a family.

    Examples
    --------
    >>> [round(chance(tries, family), 3) for tries, family in ((1, 1), (10, 1), (10, 10))]
    [0.025, 0.224, 0.025]
    """
    return 1 - (1 - LEVEL / 2 / family) ** tries


def _paper(generator, tries: int, counted: bool) -> tuple[float, bool]:
    """What is printed, and whether it is called a lead."""
    import numpy as np

    from colu.lab.results import holm, paired_difference

    found = [paired_difference(values, np.zeros(SEEDS)) for values in generator.normal(size=(tries, SEEDS))]
    best = max(range(tries), key=lambda k: found[k].mean / found[k].standard_error)
    p = [each.p_value for each in found]
    corrected = holm(p) if counted else p
    return found[best].mean, corrected[best] <= LEVEL and found[best].mean > 0


def _draw(figure, axes) -> None:
    import numpy as np

    from colu.lab.plot import PALETTE

    for ax, (title, tries, counted) in zip(axes.flat, CASES, strict=True):
        generator, piles, marks = np.random.default_rng(0), {}, {False: [], True: []}
        for lead, claimed in [_paper(generator, tries, counted) for _ in range(PAPERS)]:
            place = round(lead / 0.1)
            piles[place] = piles.get(place, 0) + 1
            marks[claimed].append((place / 10, piles[place] - 0.5))
        for claimed, style in ((False, {"marker": "o", "ms": 3, "mew": 0}), (True, {"marker": "x", "ms": 5, "mew": 2})):
            tone = PALETTE["mpu" if claimed else "neutral"]
            ax.plot(*np.reshape(marks[claimed], (-1, 2)).T, color=tone, ls="", **style)
        ax.axvline(0, color=PALETTE["axis"], lw=1.2, ls="--", zorder=0)
        exact = chance(tries, tries if counted else 1)
        ax.set(title=f"{title}\n{len(marks[True])} of {PAPERS} claim a lead ({exact:.1%})", xlabel="printed lead (sd)")
        ax.set(xlim=(-1.7, 1.9), ylim=(0, 20))
    axes[0, 0].set_ylabel("papers")


def twin() -> str:
    """The static picture: a hundred papers about nothing, three times, by the package."""
    from ..svg import drawn

    return drawn(_draw, (1, 3))
