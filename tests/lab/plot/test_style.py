"""The style: white, colour-blind-safe, set only when asked."""

import subprocess
import sys


def test_importing_plot_leaves_matplotlib_alone():
    code = (
        "import matplotlib as m; before = dict(m.rcParams); import colu.lab.plot; "
        "assert dict(m.rcParams) == before; colu.lab.plot.use_style(); assert dict(m.rcParams) != before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_band_is_drawn_with_its_label():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from colu.lab.plot import COLOURS, band

    fig, ax = plt.subplots()
    line = band(ax, [0, 1, 2], [0, 0, 0], [1, 1, 1], [2, 2, 2], label="mean", index=1)
    assert line.get_color() == COLOURS[1] and ax.get_legend_handles_labels()[1] == ["mean"]
    plt.close(fig)


def test_the_style_needs_matplotlib_alone():
    code = (
        "import sys, matplotlib, numpy; before = set(sys.modules); import colu.lab.plot; colu.lab.plot.use_style(); "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; print(new & {'pandas', 'scipy', 'seaborn'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
