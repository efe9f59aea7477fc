"""How long the rest of a build takes, by what each chapter took the last time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["SITE", "Remaining"]

#: The name under which the rendering of the site is reported.
SITE = "site"


class Remaining:
    """Chapters done, running and to come, and the seconds that are left.

    Parameters
    ----------
    names : iterable of str
        The chapters.
    known : mapping
        Chapter -> seconds of its last run, where there was one.
    jobs : int
        Chapters at a time.
    site : float
        The seconds of the site's last rendering, which comes after all chapters; 0 where none comes or none is known.

    Examples
    --------
    >>> left = Remaining(["10-a", "11-b", "12-c"], {"10-a": 10.0, "11-b": 20.0}, jobs=1)
    >>> left.seconds(0.0)  # the third as long as the others in the mean
    45.0
    >>> left.note("10-a", "started", 0.0), left.note("10-a", "done", 20.0)
    (None, None)
    >>> left.seconds(20.0)  # the machine is half as quick as it was then
    70.0
    """

    def __init__(self, names: Iterable[str], known: Mapping[str, float], jobs: int, site: float = 0.0) -> None:
        self.waiting, self.running, self.jobs = set(names), {}, jobs
        self.known = {name: known[name] for name in self.waiting if name in known}
        self.took: dict[str, float] = {}
        self.site, self.rendering = site, None

    def note(self, name: str, event: str, now: float) -> None:
        """Take in what happened to a chapter, or to the ``SITE``, at the moment ``now``, in seconds."""
        if name == SITE:
            self.rendering = now
            return
        self.waiting.discard(name)
        if event == "started":
            self.running[name] = now
        elif name in self.running:
            began = self.running.pop(name)
            if event == "done":
                self.took[name] = now - began

    def seconds(self, now: float) -> float | None:
        """The seconds that are left; None before anything is known."""
        if self.rendering is not None:
            return max(0.0, self.site - (now - self.rendering)) if self.site else None
        known = self.known | {name: took for name, took in self.took.items() if name not in self.known}
        if not known:
            return None
        both = self.took.keys() & self.known.keys()
        pace = sum(self.took[name] for name in both) / sum(self.known[name] for name in both) if both else 1.0
        mean = sum(known.values()) / len(known)
        rests = [pace * known.get(name, mean) for name in self.waiting]
        rests += [max(0.0, pace * known.get(name, mean) - (now - began)) for name, began in self.running.items()]
        # No sooner than the longest, however many run beside it.
        return max(sum(rests) / self.jobs, max(rests, default=0.0)) + self.site
