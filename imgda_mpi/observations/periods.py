"""Lengths of time in the words of files, in hours."""

from __future__ import annotations

import re

MONTH, YEAR = 720.0, 8760.0

HOURS = {"hour": 1.0, "hr": 1.0, "day": 24.0, "week": 168.0, "month": MONTH, "mon": MONTH, "year": YEAR, "yr": YEAR}
HOURS |= {"decade": 10 * YEAR, "dec": 10 * YEAR}
ADVERBS = {"hourly": 1.0, "daily": 24.0, "weekly": 168.0, "dekadal": 240.0, "pentad": 120.0, "seasonal": 3 * MONTH}
ADVERBS |= {"monthly": MONTH, "yearly": YEAR, "annual": YEAR}

# As CMIP's frequency (3hr, mon, monC), 8-day, 1 month.
PERIOD = re.compile(rf"(?<![\d.])(\d+(?:\.\d+)?)?[\s_-]*({'|'.join(HOURS)})s?(?:ly|pt|cm?)?\b")
ADVERB = re.compile(rf"\b({'|'.join(ADVERBS)})\b")
# ISO 8601, as P1M and PT6H, and PSL's 0000-01-00 00:00:00.
NUMBER = r"(\d+(?:\.\d+)?)"
ISO = re.compile(
    rf"p(?:{NUMBER}y)?(?:{NUMBER}m)?(?:{NUMBER}w)?(?:{NUMBER}d)?(?:t(?:{NUMBER}h)?(?:{NUMBER}m)?(?:{NUMBER}s)?)?"
)
PSL = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)")

MEANS = re.compile(
    r"(?P<adverb>monthly|annual|yearly|seasonal|weekly|dekadal|pentad)[\s_,-]*(?:mean|average|composite)"
    r"|(?P<month>month[\s_-]*(?:mean|average)|(?:mean|average)[\s_]month|climatolog(?:y|ical)(?!\s+(?:project|cent|of\b|dat))|long[\s_-]*term[\s_-]*mean)"
    r"|(?P<days>\d+)[\s_-]*days?[\s_-]*(?:mean|average|composite)",
    re.IGNORECASE,
)


def hours_of(text: str) -> float:
    """Length of a stated period, 0 of what is none: a number alone has no unit."""
    text = text.lower().strip()
    if text and (iso := ISO.fullmatch(text)):
        units = (YEAR, MONTH, 168.0, 24.0, 1.0, 1 / 60, 1 / 3600)
        return sum(float(number or 0) * unit for number, unit in zip(iso.groups(), units, strict=True))
    if psl := PSL.fullmatch(text):
        of_psl = (YEAR, MONTH, 24.0, 1.0, 1 / 60, 1 / 3600)
        return sum(float(number) * unit for number, unit in zip(psl.groups(), of_psl, strict=True))
    period, adverb = PERIOD.search(text), ADVERB.search(text)
    if adverb and not (period and period[1]):
        return ADVERBS[adverb[1]]
    return float(period[1] or 1.0) * HOURS[period[2]] if period else 0.0


def hours_of_mean(text: str) -> float:
    """Length of the mean that a title or a name speaks of, as monthly mean; 0 where it speaks of none."""
    mean = MEANS.search(text)
    # A title that speaks of hours or days too has the longer word for something else.
    if mean is None or re.search(r"\b(hourly|\d+[\s_-]*h(ou)?rs?|daily|instant\w*)\b", text, re.IGNORECASE):
        return 0.0
    if mean["adverb"]:
        return ADVERBS[mean["adverb"].lower()]
    return 24.0 * float(mean["days"]) if mean["days"] else MONTH
