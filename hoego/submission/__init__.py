"""The file for the leaderboard, and the ledger of what was sent and what came back."""

from hoego.submission.expected import Expected, expected_score
from hoego.submission.form import Form, read_form
from hoego.submission.ledger import Entry, Ledger, LedgerView
from hoego.submission.submit import Submission, SubmitRequest, submit

__all__ = [
    "Entry",
    "Expected",
    "Form",
    "Ledger",
    "LedgerView",
    "Submission",
    "SubmitRequest",
    "expected_score",
    "read_form",
    "submit",
]
