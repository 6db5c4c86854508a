"""The names of a study's test sets: which are possible, and who gives them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import msgspec

from ddiv.common.values import require_name
from ddiv.study.datasets import Complaints, Data, DomainNet, Images

# What outcomes and tables call the training set, the first domain, and the others together.
TAKEN_DOMAINS = ("train", "id", "ood", "training set", "in domain", "mean out of domain")


def require_domain_names(domains: Sequence[str]) -> None:
    """Raise ValueError on names of domains that could not be told apart, or told from others.

    An outcome in the domain "id" would be read as that in the first domain.
    """
    for domain in domains:
        require_name("the name of a domain", domain)
        if domain in TAKEN_DOMAINS:
            raise ValueError(
                f"a domain cannot be called {domain!r}, which means something else in ddiv (so do "
                f"{', '.join(name for name in TAKEN_DOMAINS if name != domain)}): rename it, or "
                "the folder that it is named after"
            )
    if not domains or len({unicodedata.normalize("NFC", name) for name in domains}) < len(domains):
        raise ValueError(f"a study has one or more domains of different names, got {domains}")


def named_by(data: Data, domains: tuple[str, ...]) -> Data:
    """The data with the domains that their study names, where they name none themselves."""
    match data:
        case Images(domains=()) if domains not in ((), data.test_domains):
            return msgspec.structs.replace(data, domains=domains)
        case Complaints(domains=()) if domains and data.domain:
            return msgspec.structs.replace(data, domains=domains)
        case DomainNet() if domains and data.domains == DomainNet().domains:
            return msgspec.structs.replace(data, domains=domains)
    return data
