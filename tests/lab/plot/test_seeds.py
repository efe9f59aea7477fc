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
    def drawn():
        ax = Figure().subplots()
        seed_points(ax, VALUES)
        return [each.get_offsets().data.tolist() for each in ax.collections]

    assert drawn() == drawn()


def test_a_run_that_failed_is_not_left_out_without_a_word():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="'b' is not finite"):
            seed_points(Figure().subplots(), {"a": [1.0], "b": [1.0, value, 2.0]})


def test_a_row_without_values_is_named():
    with pytest.raises(ValueError, match="no values for 'a'"):
        seed_points(Figure().subplots(), {"a": []})
