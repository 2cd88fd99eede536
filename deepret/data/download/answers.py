"""A server's answer, and in words what is wrong where none comes."""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from deepret import __version__

TIMEOUT = 60.0
"""Seconds that a server may be silent."""
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Status codes after which asking again may help."""
BEYOND = 416
"""The status code where a part was asked for that begins at the file's end or after it."""
NUMBER = "[0-9]{1,18}"
"""Of bytes."""
NOWHERE = (errno.ENETUNREACH, errno.EHOSTUNREACH)


class Unusable(Exception):
    """An address that does not give the file, however often it is asked."""


class Dropped(Exception):
    """A connection that broke or a server that is busy: asking again may help."""


class Unreachable(Dropped):
    """A server that no connection can be made to; it helps to ask again only if there was one before."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_scheme(url: str) -> None:
    """Makes sure that an address is one of the web.

    Raises:
        Unusable: it is not.
    """
    if urlsplit(url).scheme.lower() not in ("http", "https"):
        raise Unusable(f"{url} is no http or https address")


@contextmanager
def answer(url: str, headers: dict[str, str]) -> Iterator[Any]:
    """Asks for a file; the answer has status 200, 206 or 416.

    Args:
        url: its address; proxies are those of the environment.
        headers: of the request.

    Raises:
        Unusable: the server does not have it, or does not give it.
        Dropped: the server is busy, or the connection broke.
    """
    check_scheme(url)
    try:
        request = urllib.request.Request(url, headers={"User-Agent": f"deepret/{__version__}", **headers})
        found = urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except HTTPError as error:
        if error.code != BEYOND:
            error.close()
            kind = Dropped if error.code in BUSY else Unusable
            said = " ".join(f"{error.code} {error.reason}".split())  # of a redirection in a circle it takes two lines
            raise kind(f"the server answers {said}") from None
        found = error
    except URLError as error:
        raise failure(error.reason if isinstance(error.reason, OSError) else OSError(str(error.reason)), url) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise failure(error, url) from None
    with found:
        if found.status not in (200, 206, BEYOND):
            raise Unusable(f"the server answers {found.status}")
        yield found


def receive(response: Any, count: int, url: str) -> bytes:
    """The next bytes of an answer, at most ``count``; none at its end.

    Raises:
        Dropped: the connection broke.
    """
    try:
        found: bytes = response.read1(count)
    except (OSError, http.client.HTTPException) as error:
        raise failure(error, url) from None
    return found


def extent(response: Any) -> tuple[int, int | None]:
    """Where an answer's bytes begin in the file, and how long the file is where the answer says so.

    Raises:
        Unusable: a part whose place is not said.
    """
    if response.status == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if re.fullmatch(NUMBER, length) else None
    found = re.fullmatch(
        rf"bytes (?:({NUMBER})-{NUMBER}|\*)/({NUMBER}|\*)", response.headers.get("Content-Range", "").strip()
    )
    if found is None and response.status == 206:
        raise Unusable("the server sends a part and does not say which")
    start, total = found.groups() if found else (None, None)
    return int(start or 0), int(total) if total and total != "*" else None


def validator(response: Any) -> str | None:
    """What changes when the file on the server does: a strong ETag, or else when it was changed."""
    tag: str | None = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    changed: str | None = response.headers.get("Last-Modified")
    return changed


def failure(error: Exception, url: str) -> Exception:
    """What is to be raised for an error of the network."""
    host = urlsplit(url).hostname
    if isinstance(error, socket.gaierror):
        return Unreachable(f"the name {host} cannot be looked up ({error.strerror}): see that this machine is online")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unusable(f"{host} has no certificate that this machine trusts ({error.verify_message})")
    if isinstance(error, TimeoutError):
        return Dropped(f"{host} was silent for {TIMEOUT:g} s")
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"{host} refuses the connection")
    if isinstance(error, OSError) and error.errno in NOWHERE:
        return Unreachable(f"{host} cannot be reached ({error.strerror})")
    if isinstance(error, (ValueError, http.client.InvalidURL)):
        return Unusable(f"{url!r} is no address ({error})")
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return Dropped(f"the connection broke ({said})")
