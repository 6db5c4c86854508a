"""Findings: a question put to one study, and its answer with evidence."""

from ddiv.finding.answer import answer, cautious, unreliable
from ddiv.finding.asked import Asked
from ddiv.finding.finding import Finding, withheld
from ddiv.finding.reader import MATCHES, At, Reader, SeedBench, require_domains
from ddiv.finding.seeds import CONTROL_SEEDS, CONTROL_SHARE, replicate, undecided

__all__ = [
    "CONTROL_SEEDS",
    "CONTROL_SHARE",
    "MATCHES",
    "Asked",
    "At",
    "Finding",
    "Reader",
    "SeedBench",
    "answer",
    "cautious",
    "replicate",
    "require_domains",
    "undecided",
    "unreliable",
    "withheld",
]
