"""Whether what runs are held against was assimilated: a word that goes with every score."""

from __future__ import annotations

FIT = "fit to assimilated data"
SAME_PRODUCT = "product that is assimilated, not these data"
INDEPENDENT = "independent"
UNKNOWN = "not known whether assimilated"
OTHER_DATA = "other data than those assimilated"
ITSELF = "one of the runs itself"


def status(assimilated: bool | None, *, as_it_is: bool = True) -> str:
    """In words.

    Parameters
    ----------
    assimilated : whether any run has assimilated the product; None where nobody knows
    as_it_is : whether it is the layer and the time that were assimilated
    """
    if assimilated is None:
        return UNKNOWN
    if not assimilated:
        return INDEPENDENT
    return FIT if as_it_is else SAME_PRODUCT
