"""What the run says in a few sentences, and what about it must not be overlooked."""

from __future__ import annotations

from collections import Counter

from ddiv.report.text import count, in_a_row, is_number, percent


def summary(page: dict, claims: list, findings: list[dict], studies: list) -> str:
    """Verdicts counted in words. `claims` and `findings` are without the negative controls."""
    if not findings:
        return ""
    counts, known = (
        Counter(f["verdict"] for f in findings),
        Counter(f["verdict"] for f in findings if f["known"]),
    )
    parts = []
    for word in ("supported", "contradicted", "inconclusive", "not applicable", "not run", *counts):
        if n := counts.pop(word, 0):
            some = "all" if known[word] == n else f"{known[word]:,}" if known[word] else "none"
            note = f" ({some} of them expected)" if known[word] or word == "contradicted" else ""
            parts.append(
                (f"{n:,} {'are' if n != 1 else 'is'} {word}" if not parts else f"{n:,} {word}")
                + note
            )
    text = (
        f"{count(len(claims), 'claim')} looked at in {count(len(studies), 'study', 'studies')}: "
        f"of {count(len(findings), 'finding')} {in_a_row(parts)}."
    )
    return text + _listed(page, findings) + _kept(findings)


def _listed(page: dict, findings: list[dict]) -> str:
    listed, supported = (
        page.get("listed") or {},
        [f for f in findings if f["verdict"] == "supported"],
    )
    if not is_number(listed.get("alpha")) or not supported:
        return ""
    on = sum(f["starred"] for f in supported)
    beside = sum(f["starred"] for f in findings) - on
    verb = "is" if on == 1 and not beside else "are"
    return (
        (
            f" All {on:,} supported"
            if on == len(supported) > 1
            else f" {on:,} of the {len(supported):,} supported"
        )
        + (f", and {count(beside, 'finding')} not supported alone," if beside else "")
        + f" {verb} on the list that keeps false discoveries at {percent(listed['alpha'])} (★)"
        + _repeats(listed)
        + "."
    )


def _repeats(listed: dict) -> str:
    if not is_number(again := listed.get("repeats")) or not again:
        return ""
    return (
        f", for which {count(again, 'finding')} that {'puts' if again == 1 else 'put'} another claim's very question "
        "(to the same study) did not count again"
    )


def _kept(findings: list[dict]) -> str:
    both = [f for f in findings if f["verdict"] == "supported" and f["matched_verdict"]]
    if not both:
        return ""
    kept = sum(f["matched_verdict"] == "supported" for f in both)
    return (
        f" Of the {len(both):,} supported at equal epochs that were also compared at equal fit, "
        f"{kept:,} {'stays' if kept == 1 else 'stay'} supported."
    )


def alarms(findings: list[dict], families: list[dict]) -> list[str]:
    """Negative controls that came out supported, and verdicts that are not what the ledger says."""
    said = []
    failing = [
        (f["title"], f["controls"])
        for f in families
        if f["controls"] and f["controls"]["held"] < f["controls"]["of"]
    ]
    if failing:
        which = in_a_row([f"{title} ({c['of'] - c['held']} of {c['of']})" for title, c in failing])
        said.append(
            f"Negative controls came out supported: {which}. Supported verdicts of "
            f"{'that family' if len(failing) == 1 else 'those families'} deserve doubt."
        )
    surprises = [f for f in findings if f["surprise"]]
    if surprises:
        changed = sum(bool((f.get("expected") or {}).get("verdict")) for f in surprises)
        new = len(surprises) - changed
        parts = [
            (new, "contradicted without an entry in the ledger of known non-reproductions"),
            (changed, "with another verdict than the ledger expects"),
        ]
        said.append(f"Not as expected: {in_a_row([f'{n:,} {what}' for n, what in parts if n])}.")
    return said
