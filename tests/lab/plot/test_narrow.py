import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from colu.lab.plot import as_svg, letter_size, narrow_svg, use_style
from colu.lab.plot.narrow import COLUMN, HIGHEST, LETTERS, STACKED, WIDTH


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        use_style()
        yield
        plt.close("all")


def drawn(shape, draw=lambda ax: ax.plot([0, 1]), size=(6.8, 2.5), **options):
    figure = Figure(figsize=size)
    axes = np.atleast_1d(figure.subplots(*shape, **options))
    for ax in axes.flat:
        draw(ax)
    return figure, axes


def narrow(figure):
    return narrow_svg(figure, as_svg(figure))


def box(svg):
    return tuple(float(part) / 72 for part in re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', svg).groups())


def places(svg, text):
    """Where a text stands: points to the right and down."""
    found = re.findall(rf'<text style="[^"]*" x="([-\d.]+)" y="([-\d.]+)"[^>]*>{text}</text>', svg)
    return [(float(x), float(y)) for x, y in found]


@pytest.mark.parametrize("count", range(2, STACKED + 1))
def test_panels_in_a_row_stand_one_above_the_other(count):
    figure, axes = drawn((1, count))
    for number, ax in enumerate(axes):
        ax.set_xlabel(f"panel {number}")
    svg = narrow(figure)
    found = [places(svg, f"panel {number}")[0] for number in range(count)]
    assert [y for _, y in found] == sorted(y for _, y in found) and len({y for _, y in found}) == count
    assert np.ptp([x for x, _ in found]) < 1
    assert box(svg)[0] <= WIDTH + 0.2 and letter_size(svg) * COLUMN >= LETTERS


def test_the_figure_is_left_as_it_was_and_pyplot_knows_one():
    figure, axes = plt.subplots(1, 3, figsize=(6.8, 2.5), sharey=True)
    before = [ax.get_subplotspec().num1 for ax in axes]
    svg = as_svg(figure)
    assert narrow_svg(figure, svg) and plt.get_fignums() == [figure.number]
    assert [ax.get_subplotspec().num1 for ax in axes] == before and tuple(figure.get_size_inches()) == (6.8, 2.5)
    assert box(as_svg(figure)) == pytest.approx(box(svg), abs=0.02)


def test_the_same_figure_has_the_same_form_in_another_run():
    assert narrow(drawn((1, 3), sharey=True)[0]) == narrow(drawn((1, 3), sharey=True)[0])


def test_what_sharing_hid_is_shown_again():
    figure, axes = drawn((1, 3), sharey=True)
    axes[0].set(ylabel="loss (nats)", yticks=[0.25, 0.75])
    wide = as_svg(figure)
    svg = narrow_svg(figure, wide)
    assert (wide.count(">0.25<"), wide.count(">loss (nats)<")) == (1, 1)
    assert (svg.count(">0.25<"), svg.count(">loss (nats)<")) == (3, 3)


def test_ticks_between_rows_stay_hidden():
    figure, axes = drawn((2, 2), sharex=True)
    axes[0, 0].set_xticks([0.25, 0.5])
    assert narrow(figure).count(">0.25<") == 1


def test_many_panels_keep_their_width_and_empty_cells_go():
    def named(ax):
        ax.set(xlabel="here", xticks=[0, 1])

    figure, axes = drawn((3, 6), named, size=(7.4, 4))
    axes[2, 5].clear()
    axes[2, 5].axis("off")
    found = places(narrow(figure), "here")
    assert len(found) == 17
    assert len({round(x) for x, _ in found}) == 4 and len({round(y) for _, y in found}) == 5


def test_square_panels_are_no_higher_than_a_screen_has_room_for():
    figure, _ = drawn((1, 3), lambda ax: ax.set(aspect="equal"))
    assert box(narrow(figure))[1] < 3 * (HIGHEST + 1)


def test_one_bar_of_colours_serves_all_panels():
    figure, axes = drawn((1, 3), lambda ax: ax.pcolormesh(np.eye(3)))
    figure.colorbar(axes[0].collections[0], ax=axes, label="entry")
    svg = narrow(figure)
    assert svg.count(">entry<") == 1 and box(svg)[0] < WIDTH + 0.2


@pytest.mark.parametrize("where", ["upper center", "right center"])
def test_a_legend_beside_the_panels_gets_lines_above_them(where):
    figure, axes = drawn((1, 2))
    for number in range(6):
        axes[0].plot([0, number], label=f"a name of some length {number}")
    figure.legend(loc=f"outside {where}", ncols=3)
    svg = narrow(figure)
    assert box(svg)[0] <= WIDTH + 0.2
    found = [places(svg, f"a name of some length {number}")[0] for number in range(6)]
    assert len({round(x) for x, _ in found}) < 3 and max(y for _, y in found) < 72 * box(svg)[1] / 3


def test_a_low_panel_keeps_its_height_when_the_legend_beside_it_goes_above():
    figure, axes = drawn((1, 1), size=(6.4, 1.8))
    axes[0].set_yticks([0, 1], ["low", "high"])
    for number in range(5):
        axes[0].plot([0, 1], label=f"name {number}")
    figure.legend(loc="outside right center")
    wide = as_svg(figure)
    shown = narrow_svg(figure, wide)

    def height(svg):
        return places(svg, "low")[0][1] - places(svg, "high")[0][1]

    assert height(shown) > 0.8 * height(wide) > 0
    assert len({round(x) for x, _ in (places(shown, f"name {number}")[0] for number in range(5))}) > 1


def test_rows_of_pictures_stay_rows_with_their_names_above():
    def picture(ax):
        ax.imshow(np.eye(8))
        ax.set(xticks=[], yticks=[])

    figure, axes = drawn((3, 10), picture, size=(7, 2.6))
    for number, row in enumerate(axes):
        row[0].set_ylabel(f"row {number}", rotation=0, ha="right")
    svg = narrow(figure)
    assert svg.count("<image") == 30 and letter_size(svg) * COLUMN >= LETTERS
    assert len({y for number in range(3) for _, y in places(svg, f"row {number}")}) == 3


def test_a_row_of_pictures_gets_more_rows():
    def picture(ax):
        ax.imshow(np.eye(8))
        ax.set(xticks=[], yticks=[], xlabel="seen")

    found = places(narrow(drawn((1, 4), picture, size=(7.4, 2))[0]), "seen")
    assert len({round(x) for x, _ in found}) == len({round(y) for _, y in found}) == 2


def test_a_long_label_of_a_narrow_column_has_two_lines():
    def picture(ax):
        ax.imshow(np.eye(8))
        ax.set(xticks=[], yticks=[], xlabel="turned, and then activated")

    svg = narrow(drawn((2, 3), picture, size=(7.4, 4))[0])
    assert svg.count(">turned, and<") == svg.count(">then activated<") == 6


def test_long_names_of_categories_have_two_lines_and_of_many_short_ones_every_other_is_left():
    long = ["CoLU, soft", "ReLU", "CoLU, shared axis", "CoLU, sixteen"]
    figure, axes = drawn((1, 1), lambda ax: ax.plot(range(4)))
    axes[0].set_xticks(range(4), long)
    assert ">CoLU,<" in narrow(figure) and ">CoLU, soft<" not in narrow(figure)

    figure, axes = drawn((1, 1), lambda ax: ax.plot(range(20)))
    axes[0].set_xticks(range(20), [f"n={number:04}" for number in range(20)])
    assert narrow(figure).count(">n=") == 10 < as_svg(figure).count(">n=") == 20


def test_of_rows_with_names_only_long_names_have_two_lines():
    figure, axes = drawn((1, 1), lambda ax: ax.plot(range(3)), size=(6.8, 2))
    axes[0].set_yticks(range(3), ["MPU m=2", "CoLU S=4, soft and with a shared axis", "CoLU S=4"])
    svg = narrow(figure)
    assert ">MPU m=2<" in svg and ">CoLU S=4<" in svg and ">CoLU S=4, soft and with a shared axis<" not in svg


def test_a_wide_panel_is_drawn_narrow_and_a_slim_one_has_one_form():
    svg = narrow(drawn((1, 1), size=(6.8, 3))[0])
    assert letter_size(svg) * COLUMN >= LETTERS and box(svg)[1] == pytest.approx(3, abs=0.3)
    assert narrow(drawn((1, 1), size=(4, 3))[0]) is None


def test_an_axis_of_powers_of_ten_is_drawn_narrow_until_its_exponents_can_be_read():
    figure, _ = drawn((1, 1), lambda ax: ax.set(yscale="log", ylim=(1e-6, 1)), size=(4.5, 3))
    svg = narrow(figure)
    assert letter_size(as_svg(figure)) * COLUMN < LETTERS <= letter_size(svg) * COLUMN
    assert "<tspan" in svg


def test_axes_of_two_scales_on_one_panel_stay_together():
    figure, axes = drawn((1, 1), size=(5, 3))
    axes[0].twinx().plot([1, 0])
    assert narrow(figure) is None
