"""Findings: a question put to one study, and its answer with evidence."""

from ddiv.finding.answer import answer, cautious, unreliable
from ddiv.finding.asked import ENDED, Asked
from ddiv.finding.finding import Finding, withheld
from ddiv.finding.reader import MATCHES, At, Reader, SeedBench, require_domains
from ddiv.finding.seeds import CONTROL_SEEDS, CONTROL_SHARE, replicate, undecided
from ddiv.finding.unanswered import Unanswered, settled

__all__ = [
    "CONTROL_SEEDS",
    "CONTROL_SHARE",
    "ENDED",
    "MATCHES",
    "Asked",
    "At",
    "Finding",
    "Reader",
    "SeedBench",
    "Unanswered",
    "answer",
    "cautious",
    "replicate",
    "require_domains",
    "settled",
    "undecided",
    "unreliable",
    "withheld",
]
