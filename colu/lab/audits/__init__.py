"""What other people's public code computes: which commit and lines, and the output that it was seen to give."""

from .recorded import Audit, Recorded, load_audits

__all__ = ["Audit", "Recorded", "load_audits"]
