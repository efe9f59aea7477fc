"""The command ``colu``, and ``python -m colu``."""

import sys

from colu.extras import MissingExtra, require


def replace_what_a_terminal_lacks() -> None:
    """Print ``?`` for a character that the terminal's encoding has not, rather than stop there."""
    for stream in (sys.stdout, sys.stderr):
        # Absent without a terminal on Windows, and replaced by some callers.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def main() -> None:
    """Run the command line, or say which extra it or the command needs."""
    replace_what_a_terminal_lacks()
    try:
        require("lab", "the command line", "rich", "typer")
        from colu.cli import app

        app()
    except MissingExtra as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
