"""The ledger of claims: statements in the book, what they are held against, and what was measured."""

from colu.claims.checking import ClaimFailed, check, glue
from colu.claims.ledger import Expectation, LedgerError, load_expectations
from colu.claims.linting import lint

__all__ = ["ClaimFailed", "Expectation", "LedgerError", "check", "glue", "lint", "load_expectations"]
