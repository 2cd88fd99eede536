"""Numbers as a page writes them."""

from __future__ import annotations


def whole(value: int) -> str:
    """An integer with commas."""
    return f"{value:,}"


def short(power: int) -> str:
    """Ten to a power in few letters: 1, 10, 100, 1k, 10k, 100k, 1M."""
    return f"{10 ** (power % 3)}{['', 'k', 'M', 'G', 'T'][power // 3]}"


def counted(value: int, one: str) -> str:
    """How many there are of something: 1 link, 2 links."""
    return f"{whole(value)} {one}" if value == 1 else f"{whole(value)} {one}s"


def percent(part: float, of: float) -> str:
    """A share in per cent; a dash of nothing."""
    return f"{100 * part / of:.1f} %" if of else "–"


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.4 s, 12 s, 3 min 5 s, 2 h 14 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, some = divmod(minutes, 60)
    return f"{hours} h {some} min" if hours else f"{minutes} min {rest} s"
