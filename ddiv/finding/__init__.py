"""Findings: a question put to one study, and its answer with evidence."""

from ddiv.finding.answer import answer, unreliable
from ddiv.finding.asked import CONTROL_SHARE, ENDED, Asked
from ddiv.finding.calibration import Calibration
from ddiv.finding.finding import Finding, withheld
from ddiv.finding.kept import answered
from ddiv.finding.reader import Reader, SeedBench, require_domains
from ddiv.finding.seeds import CONTROL_SEEDS, SURPRISE_SEEDS, replicate, undecided, unsure
from ddiv.finding.specific import untold
from ddiv.finding.surprise import Standing, standing
from ddiv.finding.together import row
from ddiv.finding.unanswered import Unanswered, settled

__all__ = [
    "CONTROL_SEEDS",
    "CONTROL_SHARE",
    "ENDED",
    "SURPRISE_SEEDS",
    "Asked",
    "Calibration",
    "Finding",
    "Reader",
    "SeedBench",
    "Standing",
    "Unanswered",
    "answer",
    "answered",
    "replicate",
    "require_domains",
    "row",
    "settled",
    "standing",
    "undecided",
    "unreliable",
    "unsure",
    "untold",
    "withheld",
]
