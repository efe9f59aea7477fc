import numpy as np
import pytest
from matplotlib.figure import Figure

from colu.lab.plot import look, seed_points
from colu.lab.results import summarise

VALUES = {"CoLU": [1.0, 2.0, 4.0], "other": [3.0]}


def test_each_seed_is_a_point_and_the_interval_is_that_of_the_tables():
    ax = Figure().subplots()
    seed_points(ax, VALUES, looks={"CoLU": "colu"})
    points = [each.get_offsets().data[:, 0].tolist() for each in ax.collections if len(each.get_offsets())]
    assert sorted(map(sorted, points)) == [[1.0, 2.0, 4.0], [3.0]]
    found = summarise(VALUES["CoLU"])
    ends = {round(float(x), 9) for line in ax.lines for x in np.asarray(line.get_xdata()) if np.isfinite(x)}
    assert {round(found.low, 9), round(found.high, 9), round(found.mean, 9)} <= ends
    assert look("colu")["color"] in {line.get_color() for line in ax.lines}


def test_two_drawings_are_the_same():
    def once():
        ax = Figure().subplots()
        seed_points(ax, VALUES)
        return [each.get_offsets().data.tolist() for each in ax.collections]

    assert once() == once()


def test_a_run_that_failed_is_not_left_out_without_a_word():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="'b' is not finite"):
            seed_points(Figure().subplots(), {"a": [1.0], "b": [1.0, value, 2.0]})


def test_a_row_without_values_is_named():
    with pytest.raises(ValueError, match="no values for 'a'"):
        seed_points(Figure().subplots(), {"a": []})


def drawn(values, *, scale=("linear", "linear"), **options):
    """The axes, the places of the pale points, and of each series its means and the ends of its intervals."""
    ax = Figure().subplots()
    ax.set(xscale=scale[0], yscale=scale[1])
    seed_points(ax, values, **options)
    points = [each.get_offsets().data for each in ax.collections if len(each.get_offsets())]
    means = [line for line in ax.lines if line.get_marker() not in ("", "None", None)]
    ends = [line.get_xydata() for line in ax.lines if line not in means]
    return ax, np.concatenate(points), means, ends


SERIES = {"ReLU": {3: [1.0, 2.0, 4.0], 12: [3.0, 5.0]}, "CoLU": {3: [2.0, 2.5, 9.0], 12: [1.0]}}


@pytest.mark.parametrize("scale", [("linear", "linear"), ("log", "linear"), ("log", "log"), ("linear", "log")])
def test_series_stand_at_their_numbers_and_no_scale_changes_mean_or_interval(scale):
    ax, points, means, ends = drawn(SERIES, scale=scale, looks={"ReLU": "relu", "CoLU": "colu"})
    assert (ax.get_xscale(), ax.get_yscale()) == scale
    every = [value for row in SERIES.values() for each in row.values() for value in each]
    np.testing.assert_allclose(sorted(points[:, 1]), sorted(every))
    for line, row in zip(means, SERIES.values(), strict=True):
        x, y = line.get_data()
        np.testing.assert_allclose(x, [3, 12], rtol=0.2)
        np.testing.assert_allclose(y, [np.mean(each) for each in row.values()])
        assert all(np.isclose(points[:, 0], at).any() for at in x)  # a mean stands on its points
    found = [summarise(each) for row in SERIES.values() for each in row.values() if len(each) > 1]
    for each in found if scale[1] == "linear" else [one for one in found if one.low > 0]:
        assert any(np.allclose([np.nanmin(end[:, 1]), np.nanmax(end[:, 1])], [each.low, each.high]) for end in ends)


@pytest.mark.filterwarnings("error")
def test_a_drawing_on_a_logarithmic_axis_warns_of_nothing():
    _, points, means, _ = drawn(SERIES, scale=("log", "log"))
    assert len(points) == 9 and len(means) == 2


def test_series_are_side_by_side_by_equal_steps_of_the_axis():
    for scale, back in (("linear", lambda x: x), ("log", np.log)):
        _, _, means, _ = drawn(SERIES | {"SiLU": SERIES["ReLU"]}, scale=(scale, "linear"))
        at = np.array([back(line.get_xdata()) for line in means])
        steps = np.diff(at, axis=0)
        assert steps.min() > 0 and np.ptp(steps) < 1e-9
        np.testing.assert_allclose(at[1], back(np.array([3.0, 12.0])))


def test_numbers_are_joined_and_names_are_not():
    named = {arm: {"as trained": row[3], "aligned": row[12]} for arm, row in SERIES.items()}
    looks = {"ReLU": "relu", "CoLU": "colu"}
    assert [line.get_linestyle() for line in drawn(SERIES, looks=looks)[2]] == ["-", "-"]
    ax, _, means, _ = drawn(named, looks=looks)
    assert [line.get_linestyle() for line in means] == ["None", "None"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["as trained", "aligned"]
    assert ax.get_legend_handles_labels()[1] == ["ReLU", "CoLU"]
    assert [line.get_color() for line in means] == [look("relu")["color"], look("colu")["color"]]


def test_a_series_may_leave_out_places_and_its_caps_are_as_wide_as_the_others():
    _, _, means, ends = drawn({"a": {1: [1.0, 2.0], 2: [1.0, 2.0], 4: [1.0, 2.0]}, "b": {1: [1.0, 2.0], 4: [2.0, 3.0]}})
    assert [len(line.get_xdata()) for line in means] == [3, 2]
    np.testing.assert_allclose([np.nanmax(end[:, 0]) - np.nanmin(end[:, 0]) for end in ends], 0.6 * 0.08)


@pytest.mark.parametrize("scale", ["linear", "symlog", "log"])
def test_a_ladder_has_a_row_a_name_from_the_top_with_means_of_the_values(scale):
    rows = {f"arm {k}": [1.0 + k, 2.0, 40.0] for k in range(12)}
    ax, points, means, ends = drawn(rows, scale=(scale, "linear"), looks={"arm 3": "colu"})
    assert [label.get_text() for label in ax.get_yticklabels()] == list(rows) and ax.yaxis_inverted()
    found = {place: value for line in means for value, place in line.get_xydata()}
    assert found == pytest.approx({k: np.mean(row) for k, row in enumerate(rows.values())})
    assert len(points) == 36 and len(ends) == 12
    np.testing.assert_allclose([np.nanmax(end[:, 1]) - np.nanmin(end[:, 1]) for end in ends], 0.3)


def test_what_is_hollow_is_open_and_the_rest_filled():
    _, _, means, _ = drawn({"a": [1.0, 2.0], "b": [1.0, 2.0], "c": [2.0, 3.0]}, hollow=["b"])
    assert {tuple(line.get_ydata()): line.get_markerfacecolor() == "white" for line in means} == {
        (0, 2): False,
        (1,): True,
    }


def test_the_reference_is_a_line_across_the_values():
    rows, series = ({"a": [1.0, 2.0]}, {"a": {1: [1.0, 2.0]}})
    assert any(list(line.get_xdata()) == [0.5, 0.5] for line in drawn(rows, reference=0.5)[0].lines)
    assert any(list(line.get_ydata()) == [0.5, 0.5] for line in drawn(series, reference=0.5)[0].lines)


def test_a_name_that_is_drawn_nowhere_and_a_mixture_are_refused():
    for option in ({"looks": {"d": "relu"}}, {"hollow": ["d"]}):
        with pytest.raises(ValueError, match="name 'd', values has a"):
            drawn({"a": [1.0]}, **option)
    with pytest.raises(ValueError, match="'a' is a row and 'b' a series"):
        drawn({"a": [1.0], "b": {1: [2.0]}})
    with pytest.raises(ValueError, match=r"no values for \('b', 2\)"):
        drawn({"b": {1: [2.0], 2: []}})
