"""How much of a run or a chapter is computed."""

#: A minute on a CPU, minutes, or the budget of a GPU.
PRESETS = ("smoke", "laptop", "full")
