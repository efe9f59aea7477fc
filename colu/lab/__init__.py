"""The laboratory: what makes evidence.

Data, reference models, the training loop, named experiments and their records, timing and figures.
What a chapter needs often is found here as well, and loads on first use.

Examples
--------
>>> from colu.lab import MLP, data, summarise
>>> len(data.load("digits", "test"))
450
"""

from colu.extras import require

require("lab", __name__)

_EXPERIMENTS = ("ARMS", "get_arm", "get_experiment", "rerun_commands", "run_arms", "train_networks")
_PLOT = ("COLOURS", "LINESTYLES", "MARKERS", "PALETTE", "band", "look", "picture_rows", "seed_points", "use_style")
_RESULTS = (
    "arm_table",
    "find_pictures",
    "find_records",
    "holm",
    "one_setting",
    "paired_difference",
    "setting_text",
    "summarise",
)

__all__ = ["MLP", "fit", "machine_facts", *_EXPERIMENTS, *_PLOT, *_RESULTS]


def __getattr__(name: str):
    if name in _EXPERIMENTS:
        from . import experiments as home
    elif name in _PLOT:
        from . import plot as home
    elif name in _RESULTS:
        from . import results as home
    elif name == "MLP":
        from . import models as home
    elif name == "fit":
        from . import training as home
    elif name == "machine_facts":
        from . import machine as home
    else:
        known = ", ".join(__all__)
        raise AttributeError(f"module 'colu.lab' has no attribute {name!r}; it has its folders and {known}")
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
