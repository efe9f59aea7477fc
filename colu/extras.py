"""What each part of the package needs beside PyTorch and NumPy, and what to say where it is absent."""

from importlib.util import find_spec

#: Extra of ``pyproject.toml`` -> modules that its part imports.
MODULES = {
    "fusion": ("ot", "scipy"),
    "lab": (
        "diffusers",
        "distributed",
        "filelock",
        "lightning_fabric",
        "matplotlib",
        "psutil",
        "pydantic",
        "rich",
        "safetensors",
        "seaborn",
        "sklearn",
        "torchmetrics",
        "torchvision",
        "typer",
        "typing_extensions",
        "yaml",
    ),
    "book": (
        "bs4",
        "ipykernel",
        "jupyter_book",
        "jupytext",
        "markdown_it",
        "mdit_py_plugins",
        "nbformat",
        "nbval",
        "papermill",
        "sphinx_codeautolink",
        "sphinx_external_toc",
    ),
}
#: Where pip finds the package until it is published.
ADDRESS = "git+https://github.com/colu-book/colu"


class MissingExtra(ModuleNotFoundError):
    """A part of the package lacks what its extra brings; the message has the command that installs it."""


def require(extra: str, user: str, *modules: str) -> None:
    """Refuse to go on where modules of an extra are absent; nothing is imported.

    Parameters
    ----------
    extra : {"fusion", "lab", "book"}
        The extra that brings them.
    user : str
        What needs them, for the message.
    *modules : str
        All of the extra where none is named.

    Raises
    ------
    MissingExtra
        Names what is absent and the command that installs it.

    Examples
    --------
    >>> require("fusion", "colu.fusion")
    """
    absent = [module for module in modules or MODULES[extra] if find_spec(module) is None]
    if absent:
        raise MissingExtra(
            f"{user} needs {', '.join(absent)}, which is not installed: "
            f'pip install "colu[{extra}] @ {ADDRESS}"',
            name=absent[0],
        )
