"""What alignment finds in networks of public libraries: models by name, and a record of their groups."""

from .models import CATALOGUE, Entry, perturbed
from .runner import follow_entry, read_catalogue, record_catalogue
from .scale import LADDER, Rung, measure_alignment, read_scale, record_scale

__all__ = [
    "CATALOGUE",
    "LADDER",
    "Entry",
    "Rung",
    "follow_entry",
    "measure_alignment",
    "perturbed",
    "read_catalogue",
    "read_scale",
    "record_catalogue",
    "record_scale",
]
