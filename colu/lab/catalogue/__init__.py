"""What alignment finds in networks of public libraries: models by name, and a record of their groups."""

from .models import CATALOGUE, Entry, perturbed
from .runner import follow_entry, read_catalogue, record_catalogue

__all__ = ["CATALOGUE", "Entry", "follow_entry", "perturbed", "read_catalogue", "record_catalogue"]
