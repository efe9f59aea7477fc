"""The command ``colu``, and ``python -m colu``."""

from colu.extras import require


def main() -> None:
    """Run the command line, or say which extra it needs."""
    require("lab", "the command line", "rich", "typer")
    from colu.cli import app

    app()


if __name__ == "__main__":
    main()
