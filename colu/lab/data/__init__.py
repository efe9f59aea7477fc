"""Real image sets by name, as whole uint8 tensors.

``digits`` and the photographs come with scikit-learn and need neither network nor download.
The others are read from the folder named by the environment variable ``COLU_DATA``,
or, where that is unset, downloaded with torchvision into the cache folder.
"""

from .files import DataCorruptedError, DataUnavailableError, data_root, download_root
from .images import ImageSet, labelled_images, load, names
from .photographs import sample_image
from .rows import Rows, rows
from .text import Text, load_text, text_names

__all__ = [
    "DataCorruptedError",
    "DataUnavailableError",
    "ImageSet",
    "Rows",
    "Text",
    "data_root",
    "download_root",
    "labelled_images",
    "load",
    "load_text",
    "names",
    "rows",
    "sample_image",
    "text_names",
]
