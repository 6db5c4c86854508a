"""What the template shows: the page's data with verdicts counted, claims grouped, and anchors and
plots numbered.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any

from ddiv.evidence import judge
from ddiv.report import fit, headline
from ddiv.report.scores import score_table
from ddiv.report.strip import digits, strip, values
from ddiv.report.text import VERDICTS, count, is_number, key

MANY_FINDINGS = 300  # beyond this the claims start closed


def view(page: dict, plots: list[dict]) -> dict[str, Any]:
    """The template's variables from the cleaned page; what its plots show is appended to `plots`."""
    taken: set[str] = set()
    starred = set((page.get("listed") or {}).get("tests") or [])
    over = defaultdict(list)
    for row in page.get("over_studies") or []:
        over[row.get("claim")].append(row)
    claims = [_claim(claim, plots, taken, starred) for claim in page.get("claims") or []]
    findings = [finding for claim in claims for finding in claim["findings"]]
    titles = study_titles(page)
    columns = [
        study
        for study in dict.fromkeys([*titles, *(f["study"] for f in findings)])
        if any(f["study"] == study for f in findings)
    ]
    for claim in claims:
        claim["cells"] = [
            _cell([f for f in claim["findings"] if f["study"] == study]) for study in columns
        ]
        claim["over"] = over[claim.get("id")] if len(columns) > 1 else []
        claim["over_tally"] = _counts(row.get("verdict") for row in claim["over"])
    tested = [finding for finding in findings if not finding["guards"]]
    alpha = page.get("alpha")
    families = _families(page, claims)
    return {
        "titles": {study: titles.get(study, study) for study in columns},
        "families": families,
        "findings": findings,
        "tally": tally(findings),
        "tested": tally(tested),
        "held": {
            "held": sum(f["controls"]["held"] for f in families if f["controls"]),
            "of": sum(f["controls"]["of"] for f in families if f["controls"]),
        },
        "over_studies": any(claim["over"] for claim in claims),
        "summary": headline.summary(
            page, [c for c in claims if not c.get("guards")], tested, columns
        ),
        "alarms": headline.alarms(findings, families),
        "open_claims": len(findings) <= MANY_FINDINGS,
        "tables": [
            score_table(one["scores"]) for one in page.get("materials") or [] if one.get("scores")
        ],
        "pictures": _pictures(page, claims),
        "decides": 1 / alpha if _is_level(alpha) else None,
        "agreeing": _agreeing(alpha) if _is_level(alpha) else None,
        "fit": fit.section(page.get("fit") or [], findings, titles, plots),
        **_spent(page.get("spent") or {}),
    }


def study_titles(page: dict) -> dict[str, str]:
    return {s["id"]: s.get("title") or s["id"] for s in page.get("studies") or [] if s.get("id")}


def tally(findings: list[dict]) -> dict[str, Any]:
    """Verdicts counted, at equal epochs and fit-matched, with how many of each the ledger expects,
    and the marks.
    """
    return {
        "equal": _counts(f["verdict"] for f in findings),
        "matched": _counts(f["matched_verdict"] for f in findings if f["matched_verdict"]),
        "known": Counter(f["verdict"] for f in findings if f["known"]),
        **{
            mark: sum(f[mark] for f in findings)
            for mark in ("surprise", "differs", "divided", "starred", "failing")
        },
    }


def _counts(words) -> list[tuple[str, int]]:
    counts = Counter(words)
    known = [(word, counts.pop(word)) for word in VERDICTS if counts[word]]
    return [*known, *((word, n) for word, n in counts.items() if n)]


# --- claims and findings ---------------------------------------------------------------------------------


def _claim(claim: dict, plots: list[dict], taken: set[str], starred: set[str]) -> dict:
    anchor = _anchor("c", claim.get("id"), taken)
    raws = [
        dict(raw, study=raw.get("study") or "—", verdict=raw.get("verdict") or "not run")
        for raw in claim.get("findings") or []
    ]
    # One scale for all strips of a claim in one study and unit: studies can differ by orders of
    # magnitude.
    reach: dict[tuple, float] = defaultdict(float)
    for raw in raws:
        for evidence in filter(None, (raw.get("evidence"), raw.get("matched"))):
            scale = (raw["study"], evidence.get("unit"))
            reach[scale] = max([reach[scale], *map(abs, values(evidence))])
    findings = []
    for raw in raws:
        evidence, matched = raw.get("evidence") or {}, raw.get("matched") or {}
        most = reach.get((raw["study"], evidence.get("unit")), 0.0)
        finding = raw | {
            **_marks(raw, matched, claim.get("guards"), starred),
            "anchor": _anchor(
                "f", f"{anchor[2:]} {raw['study']} {raw.get('variant') or ''}", taken
            ),
            "evalue": evidence.get("e_against" if raw["verdict"] == "contradicted" else "e_for"),
            "of": claim.get("id"),
            "statement": raw.get("statement") or claim.get("statement"),
            "digits": digits(most),
            "strip": strip(evidence, matched, most),
        }
        if raw.get("plot"):
            finding["plot_id"] = len(plots)
            plots.append(raw["plot"])
        findings.append(finding)
    return dict(claim, anchor=anchor, findings=findings, tally=tally(findings))


def _marks(raw: dict, matched: dict, guards: str | None, starred: set[str]) -> dict[str, Any]:
    """What a finding is besides its verdict; a control is to come out anything but supported."""
    verdict, expected = raw["verdict"], (raw.get("expected") or {}).get("verdict")
    decided = verdict in ("supported", "contradicted", "inconclusive")
    definitions = [word for _, word in raw.get("definitions") or []]
    return {
        "key": key(verdict),
        "guards": guards or "",
        "matched_verdict": matched.get("verdict"),
        "differs": bool(matched) and matched.get("verdict") != verdict,
        "known": bool(expected) and verdict == expected,
        "surprise": not guards
        and decided
        and verdict != expected
        and bool(expected or verdict == "contradicted"),
        "failing": bool(guards) and verdict == "supported",
        "holds": definitions.count("supported"),
        "divided": len(set(definitions)) > 1,
        "starred": raw.get("test") in starred,
    }


def _cell(findings: list[dict]) -> dict | None:
    if not findings:
        return None
    counted = tally(findings)
    one = counted["equal"][0][0] if len(counted["equal"]) == 1 else None
    return {**counted, "one": one, "n": len(findings), "study": findings[0]["study"]}


def _families(page: dict, claims: list[dict]) -> list[dict]:
    families = {
        f["id"]: {"title": f.get("title") or f["id"], "claims": []}
        for f in page.get("families") or []
    }
    for claim in claims:
        family = claim.get("family") or "other claims"
        families.setdefault(family, {"title": family, "claims": []})["claims"].append(claim)
    controls = page.get("controls") or {}
    for name, family in families.items():
        row = controls.get(name) or {}
        family["controls"] = row if is_number(row.get("held")) and row.get("of") else None
    return [family for family in families.values() if family["claims"]]


def _pictures(page: dict, claims: list[dict]) -> list[dict]:
    """The pictures, each with links to its claims: their anchors and verdicts where the run asked
    them.
    """
    asked = {claim["id"]: claim for claim in claims if claim.get("id")}
    return [
        picture
        | {
            "links": [
                {
                    "id": name,
                    "anchor": asked[name]["anchor"],
                    "tally": asked[name]["tally"]["equal"],
                }
                if name in asked
                else {"id": name}
                for name in picture.get("claims") or []
            ]
        }
        for picture in page.get("pictures") or []
    ]


def _spent(spent: dict) -> dict[str, Any]:
    """How many trials adding seeds only where needed has saved, and the length of the longest bar
    of seeds.
    """
    both = spent.get("trials"), spent.get("fixed")
    return {
        "saved": both[1] - both[0] if all(map(is_number, both)) else None,
        "most_findings": max((n for _, n in spent.get("by_seeds") or []), default=1),
    }


# --- small helpers ---------------------------------------------------------------------------------------


def _is_level(alpha: Any) -> bool:
    return is_number(alpha) and 1e-9 < alpha < 1


def _agreeing(alpha: float) -> tuple[str, float]:
    """At how many seeds that all agree a verdict falls, in words, and the evidence then."""
    seeds = 1
    while (evidence := judge([1.0] * seeds, alpha=alpha)).verdict != "supported":
        seeds += 1
    return count(seeds, "seed"), evidence.e_for


def _anchor(kind: str, text: Any, taken: set[str]) -> str:
    base = anchor = (
        f"{kind}-{re.sub(r'[^a-z0-9]+', '-', str(text or '').lower()).strip('-') or 'x'}"
    )
    again = 1
    while anchor in taken:
        again += 1
        anchor = f"{base}-{again}"
    taken.add(anchor)
    return anchor
