"""``python -m colu.lab.catalogue [NAME ...]`` follows the models that the record lacks, or those named, anew."""

import sys

from .runner import record_catalogue

if __name__ == "__main__":
    sys.exit(bool(record_catalogue(sys.argv[1:])))
