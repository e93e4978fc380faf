"""Check addresses and tokens before they are used, and turn errors of httpx into errors of this client."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator

import httpx

from darkroom_client.errors import BadResponse, DarkroomError, Unreachable, WrongSetting

TIMEOUT = httpx.Timeout(30.0, connect=5.0)

FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict, OSError, ValueError)
"""All errors of a request. The encoding of hosts, headers and bodies may raise ValueError."""

_TOKEN = re.compile(r"[\x21-\x7e]+(?: +[\x21-\x7e]+)*")
_MAX_TEXT = 200
_NO_SUCH_HOST = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def checked_url(url: str) -> str:
    """Return the API's address without its last slash; raise WrongSetting when it cannot be one."""
    url = url.strip().rstrip("/")
    if "@" in url or "?" in url or "#" in url:
        # The message does not show the address, because it may hold a password.
        raise WrongSetting("the API's address must have no user name, no password, no '?' and no '#'")
    try:
        found = httpx.URL(url)
        scheme, host, port = found.scheme, found.host, found.port
    except (httpx.InvalidURL, ValueError) as error:
        raise WrongSetting(f"the API's address {url!r} is not an address: {error}") from error
    if scheme not in ("https", "http") or not host:
        raise WrongSetting(f"the API's address {url!r} must begin with https:// (or http://) and name a host")
    if port is not None and not 0 < port < 65_536:
        raise WrongSetting(f"the API's address {url!r} must have a port from 1 to 65535, or none")
    return url


def checked_token(token: str) -> str:
    """Return the token if it can be sent; otherwise raise WrongSetting, which does not show the token."""
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise WrongSetting("the token must be one line of printable ASCII characters")
    return token


def connected[C: (httpx.Client, httpx.AsyncClient)](kind: Callable[..., C]) -> C:
    """Return a client of httpx; raise WrongSetting when the environment names an unusable proxy."""
    try:
        return kind(timeout=TIMEOUT)
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        reason = _brief(error)
    raise WrongSetting(
        f"HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY or SSL_CERT_FILE cannot be used: {reason}"
    )


def failure(error: Exception, url: str, *, link: bool) -> DarkroomError:
    """Return the client's error for one of FAILURES at `url`; `link` says that `url` came from the server."""
    reason = _brief(error)
    match error:
        case httpx.TooManyRedirects() | httpx.DecodingError():
            return BadResponse(f"the response cannot be read: {reason}")
        case httpx.UnsupportedProtocol() | httpx.InvalidURL() | httpx.LocalProtocolError() | ValueError():
            return (
                BadResponse(f"a link cannot be opened: {reason}")
                if link
                else WrongSetting(f"{url} cannot be called: {reason}")
            )
        case _ if _is_final(error):
            return WrongSetting(f"no connection is possible: {reason} ({_host(url)})")
        case _:
            return Unreachable(f"no response: {reason} ({_host(url)})")


def _is_final(error: Exception) -> bool:
    """Return True if repeating cannot help: no such host, a certificate not trusted, a proxy's refusal."""
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
    """Return the part of an address that holds no secret."""
    return "/".join(url.split("/", 3)[:3])


def _brief(error: Exception) -> str:
    """Return one line with the class of the error and its text, if it has any."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:_MAX_TEXT]}".removesuffix(": ")
