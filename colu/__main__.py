"""``python -m colu``."""

from colu.cli import app

app()
