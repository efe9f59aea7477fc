"""The time that is left is no sooner than the slowest chapter, and unknown where nothing is."""

from colu.press.build.progress import SITE, Remaining


def test_nothing_is_promised_before_anything_is_known():
    left = Remaining(["10-a", "11-b"], {}, jobs=1)
    assert left.seconds(0.0) is None
    left.note("10-a", "started", 0.0)
    left.note("10-a", "done", 8.0)
    assert left.seconds(8.0) == 8.0


def test_chapters_side_by_side_share_the_time_but_the_longest_is_waited_for():
    left = Remaining(["10-a", "11-b", "12-c"], {"10-a": 10, "11-b": 10, "12-c": 100}, jobs=2)
    assert left.seconds(0.0) == 100
    left.note("12-c", "started", 0.0)
    left.note("10-a", "current", 0.0)
    assert left.waiting == {"11-b"} and left.seconds(95.0) == 10
    left.note("11-b", "failed", 95.0)
    left.note("12-c", "done", 100.0)
    assert left.seconds(100.0) == 0 and left.running == {}


def test_the_site_comes_after_all_chapters():
    left = Remaining(["10-a"], {"10-a": 10}, jobs=2, site=60)
    assert left.seconds(0.0) == 70
    left.note("10-a", "current", 0.0)
    left.note(SITE, "started", 0.0)
    assert left.seconds(20.0) == 40 and left.seconds(90.0) == 0
    unknown = Remaining([], {}, jobs=1)
    unknown.note(SITE, "started", 0.0)
    assert unknown.seconds(1.0) is None
