"""``python -m colu.lab.catalogue [NAME ...]`` follows the models that the record lacks, or those named, anew.

``python -m colu.lab.catalogue --scale [NAME ...]`` does so with the ladder of widths.
"""

import sys

from .runner import record_catalogue
from .scale import record_scale

if __name__ == "__main__":
    names = sys.argv[1:]
    record = record_scale if names[:1] == ["--scale"] else record_catalogue
    sys.exit(bool(record([name for name in names if name != "--scale"])))
