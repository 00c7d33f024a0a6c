"""The file for the leaderboard, and the ledger of what was sent and what came back."""

from hoego.runs.submission.entry import Submission, SubmitRequest, submit
from hoego.runs.submission.expected import Expected, expected_score
from hoego.runs.submission.form import SubmissionForm, read_form
from hoego.runs.submission.ledger import Ledger, LedgerView
from hoego.runs.submission.ledger_entry import LedgerEntry, SubmittedScore

__all__ = [
    "LedgerEntry",
    "Expected",
    "SubmissionForm",
    "Ledger",
    "LedgerView",
    "Submission",
    "SubmitRequest",
    "expected_score",
    "read_form",
    "SubmittedScore",
    "submit",
]
