"""The campaign's figures: what was done, how often, and the faults by kind."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.campaign.bench import Round
from tests.campaign.judge import KINDS


def figures(
    ran: list[tuple[str, Round]], impossible: dict[str, str], minutes: float, **more: Any
) -> dict[str, Any]:
    """The figures as JSON can hold them."""
    did: Counter[str] = Counter()
    by_round: dict[str, Counter[str]] = {}
    for name, round in ran:
        did.update(round.did)
        by_round.setdefault(name, Counter()).update(
            {"rounds": 1, **Counter(fault.kind for fault in round.faults)}
        )
    kinds = Counter(fault.kind for _, round in ran for fault in round.faults)
    return {
        **more,
        "minutes": round_to(minutes),
        "rounds": len(ran),
        "did": dict(sorted(did.items())),
        "not possible here": impossible,
        "faults": sum(kinds.values()),
        "broken": did["broken rounds"],
        "by kind": {kind: kinds[kind] for kind in KINDS},
        "by round": {name: dict(counts) for name, counts in sorted(by_round.items())},
    }


def round_to(value: float) -> float:
    return float(f"{value:.3g}")


def markdown(made: dict[str, Any]) -> str:
    """The figures as tables."""
    lines = [
        f"`{made['command']}` on {made['commit']}: {made['rounds']} rounds and "
        f"{made['commands']} commands in {made['minutes']:g} minutes ({made['machine']}).",
        "",
        *_table(("fault", "times"), made["by kind"].items()),
        "",
        *_table(("what was done", "times"), made["did"].items()),
        "",
        *_table(
            ("round", "rounds", *KINDS),
            (
                (name, counts["rounds"], *(counts.get(kind, 0) for kind in KINDS))
                for name, counts in made["by round"].items()
            ),
        ),
    ]
    lines += [
        f"\nNot possible here: {name}: {why}" for name, why in made["not possible here"].items()
    ]
    return "\n".join(lines)


def _table(head: tuple[str, ...], rows: Any) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines]
