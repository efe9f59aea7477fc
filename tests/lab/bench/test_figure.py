"""The figure shows the ratios that were asked for, a row a case, and says where there is none."""

import pytest

from colu.lab.bench import ratio_figure
from colu.lab.plot import look


def record(arm="fused", ratio=1.25, case="one", threads=1, passes="both", allocator="warm"):
    low, high = (None, None) if ratio is None else (ratio - 0.05, ratio + 0.25)
    found = {"arm": arm, "case": case, "threads": threads, "passes": passes, "allocator": allocator}
    return found | {"ratio": ratio, "low": low, "high": high}


@pytest.fixture
def axis():
    from matplotlib import pyplot

    yield lambda *records, **options: ratio_figure(records, **options).axes[0]
    pyplot.close("all")


def test_every_case_is_a_row_and_every_contender_a_mark_with_its_quartiles(axis):
    shown = axis(record(), record("silu", 3.0), record(case="two", ratio=2.0), record("relu", 1.0), record("control"))
    assert [label.get_text() for label in shown.get_yticklabels()] == ["one, 1 thr.", "two, 1 thr."]
    places = {c.get_label(): c.lines[0].get_xydata().tolist() for c in shown.containers}
    assert places == {"fused": [[1.25, 0], [2.0, 1]], "silu": [[3.0, 0]]}
    ends = [segment[:, 0].tolist() for segment in shown.containers[0].lines[2][0].get_segments()]
    assert ends == [pytest.approx([1.2, 1.5]), pytest.approx([1.95, 2.25])]
    assert not shown.texts


def test_only_the_passes_and_the_allocator_that_were_asked_for_are_shown(axis):
    records = [record(passes=p, allocator=a) for p in ("forward", "both") for a in ("warm", "default")]
    shown = axis(*records, passes="forward", allocator="default")
    assert len(shown.containers) == 1 and len(shown.containers[0].lines[0].get_xydata()) == 1
    assert "(forward, default allocator)" in shown.get_xlabel()


def test_a_figure_without_a_good_control_says_so(axis):
    shown = axis(record(ratio=None), record("silu", None))
    assert not shown.containers and "no case has a good control" in shown.texts[0].get_text()


def test_an_activation_has_its_look_and_the_ways_to_compute_colu_its_colour_with_a_mark_each(axis):
    ways = ("fused", "blocked", "reference", "compiled", "triton", "jax-colu")
    shown = axis(*map(record, (*ways, "silu", "gelu", "jax-relu")))
    lines = {each.get_label(): each.lines[0] for each in shown.containers}
    assert {lines[way].get_color() for way in ways} == {look("colu")["color"]}
    assert len({lines[way].get_marker() for way in ways}) == len(ways)
    for arm in ("silu", "gelu", "relu"):
        line = lines["jax-relu" if arm == "relu" else arm]
        assert (line.get_color(), line.get_marker()) == (look(arm)["color"], look(arm)["marker"])
    assert lines["jax-relu"].get_fillstyle() == "none"
