"""Which commit this code is, where git can tell."""

from __future__ import annotations

import os
from pathlib import Path

from colu.programs import ProgramError, run_program

__all__ = ["commit_here", "text_in_commit"]

_SECONDS = 60


def _git(*arguments: str) -> str | None:
    """What git answers for the folder of this file, or None where there is no answer."""
    # Inside of a hook git is told of a repository by variables, which is not the one meant here.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = run_program(command, seconds=_SECONDS, env=environment)
    except ProgramError:
        return None
    return done.out.strip() if done.status == 0 else None


def _holds_this(top: Path) -> bool:
    """Whether a repository is the package's own; one around the environment that it is installed in is not."""
    here = Path(__file__)
    try:
        return here.samefile(top.joinpath(*here.parts[-3:]))
    except OSError:
        return False


def commit_here() -> tuple[str | None, bool | None]:
    """The commit of the running code, and whether its files differ from it.

    Returns
    -------
    commit : str or None
        None without git, outside of a clone, and for a package that is installed.
    dirty : bool or None

    Examples
    --------
    >>> commit, dirty = commit_here()
    >>> (commit is None) == (dirty is None)
    True
    """
    top, _, commit = (_git("rev-parse", "--show-toplevel", "HEAD") or "").partition("\n")
    if not commit or not _holds_this(Path(top)):
        return None, None
    # Recorded runs lie in the tree themselves; they do not make the code another one.
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/colu", ":/notebooks")
    return (None, None) if changed is None else (commit, bool(changed))


def text_in_commit(commit: str, name: str) -> str | None:
    """A file of this repository as it was in a commit.

    Parameters
    ----------
    commit : str
    name : str
        From the top of the repository.

    Returns
    -------
    str or None
        Empty where the commit has no such file; None where git, the clone or the commit is not here to be asked.
    """
    if commit_here()[0] is None or _git("cat-file", "-e", f"{commit}^{{commit}}") is None:
        return None
    return _git("show", f"{commit}:{name}") or ""
