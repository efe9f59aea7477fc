"""The command ``colu``, and ``python -m colu``."""

import sys

from colu.extras import MissingExtra, require


def main() -> None:
    """Run the command line, or say which extra it or the command needs."""
    try:
        require("lab", "the command line", "rich", "typer")
        from colu.cli import app

        app()
    except MissingExtra as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
