"""Addresses and tokens, checked before they are used, and the errors of httpx as this client's own."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator

import httpx

from darkroom_client.errors import BadAnswer, DarkroomError, Unreachable, WrongSetting

TIMEOUT = httpx.Timeout(30.0, connect=5.0)

FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict, OSError, ValueError)
"""Whatever a request may raise: ValueError comes from the encodings of hosts, headers and bodies."""

_TOKEN = re.compile(r"[\x21-\x7e]+(?: +[\x21-\x7e]+)*")
_LONGEST = 200
_NO_SUCH_HOST = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def checked_url(url: str) -> str:
    """Return the address of an API without its last slash; raise WrongSetting when it cannot be one."""
    url = url.strip().rstrip("/")
    if "@" in url or "?" in url or "#" in url:
        # Not shown: it may hold a password.
        raise WrongSetting("the API's address must have no user name, no password, no '?' and no '#'")
    try:
        found = httpx.URL(url)
        scheme, host, port = found.scheme, found.host, found.port
    except (httpx.InvalidURL, ValueError) as error:
        raise WrongSetting(f"the API's address {url!r} is none: {error}") from error
    if scheme not in ("https", "http") or not host:
        raise WrongSetting(f"the API's address {url!r} must begin with https:// (or http://) and name a host")
    if port is not None and not 0 < port < 65_536:
        raise WrongSetting(f"the API's address {url!r} must have a port from 1 to 65535, or none")
    return url


def checked_token(token: str) -> str:
    """Return a token that can be sent; raise WrongSetting, which does not show it, when it cannot."""
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise WrongSetting("the token must be one line of printable ASCII characters")
    return token


def connected[C: (httpx.Client, httpx.AsyncClient)](kind: Callable[..., C]) -> C:
    """Return a client of httpx; raise WrongSetting when the environment has a proxy that cannot be used."""
    try:
        return kind(timeout=TIMEOUT)
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        said = _brief(error)
    raise WrongSetting(
        f"HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY or SSL_CERT_FILE cannot be used: {said}"
    )


def failure(error: Exception, url: str, *, link: bool) -> DarkroomError:
    """Return the client's own error for one of FAILURES at `url`; `link` says that the server gave it."""
    said = _brief(error)
    match error:
        case httpx.TooManyRedirects() | httpx.DecodingError():
            return BadAnswer(f"the answer cannot be read: {said}")
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | httpx.LocalProtocolError() | ValueError():
            return (
                BadAnswer(f"a link cannot be opened: {said}")
                if link
                else WrongSetting(f"{url} cannot be asked: {said}")
            )
        case _ if _is_final(error):
            return WrongSetting(f"no answer can come: {said} ({_host(url)})")
        case _:
            return Unreachable(f"no answer: {said} ({_host(url)})")


def _is_final(error: Exception) -> bool:
    """Whether trying again cannot help: no such host, no trust in its certificate, a proxy that says no."""
    if isinstance(error, httpx.ProxyError):
        return not str(error).startswith("5")
    return any(
        (isinstance(cause, socket.gaierror) and cause.errno in _NO_SUCH_HOST)
        or isinstance(cause, ssl.SSLCertVerificationError)
        or (isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER")
        for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _host(url: str) -> str:
    """The part of an address that holds no secret."""
    return "/".join(url.split("/", 3)[:3])


def _brief(error: Exception) -> str:
    """One line with the kind of the error, which may have no text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:_LONGEST]}".removesuffix(": ")
