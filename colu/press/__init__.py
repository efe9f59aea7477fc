"""From notebooks to the published book: execute, validate, render.

Each step skips what is done already and leaves nothing half-written.
"""

from colu.extras import require

require("book", __name__)
