"""The ledger of claims: statements in the book, what they are held against, and what was measured."""

from colu.extras import require

require("lab", __name__, "pydantic", "yaml")

from .checking import ClaimFailed, check, glue
from .ledger import Expectation, LedgerError, load_expectations

__all__ = ["ClaimFailed", "Expectation", "LedgerError", "check", "glue", "load_expectations"]
