"""Which hosts are on the public Internet, as their text or their address shows.

References and results are somebody else's URLs. What decides in the end is the address that is
connected to; what a text gives away already is refused before anything is sent.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: A host in lower case, a name or an address, as it would be looked up.
HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")

#: IPv6 unicast that is handed out at all; everything outside is not on the public Internet.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
#: Inside of it, but not hosts: protocol assignments with Teredo, documentation.
_NOT_HOSTS_V6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20")
)
#: IPv6 addresses that stand for an IPv4 address, and where in it that address lies (bits).
_EMBEDDED_V4 = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
#: Globally routable by the registry's word, but no place for a host: 6to4 relays, assignments.
_NOT_HOSTS_V4 = tuple(ipaddress.IPv4Network(text) for text in ("192.88.99.0/24", "192.0.0.0/24"))
#: Names that are never public, whatever they resolve to here.
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".onion")


def is_public(address: Address) -> bool:
    """Whether an address is a host on the public Internet, also where it wraps an IPv4 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return (
            address.is_global
            and not address.is_multicast
            and not any(address in network for network in _NOT_HOSTS_V4)
        )
    for network, shift in _EMBEDDED_V4:
        if address in network:
            return is_public(ipaddress.IPv4Address(int(address) >> shift & 0xFFFF_FFFF))
    return address in _GLOBAL_V6 and not any(address in network for network in _NOT_HOSTS_V6)


@lru_cache(maxsize=256)
def refusal(host: str) -> str | None:
    """Why a host is not public, as its text shows."""
    address = _literal(host)
    if address is not None:
        return None if is_public(address) else f"{host} is not a public address"
    last = host.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        return f"{host} is no valid address"
    if "." not in host or f".{host}".endswith(_PRIVATE_SUFFIXES):
        return f"{host} is not a public name"
    return None


def looked_up(host: str) -> str:
    """A host as it would be looked up. Raises ValueError (UnicodeError) for an impossible one.

    Full-width digits and dots become plain ones here, as they would on the way to the resolver.
    """
    if not host.isascii():
        host = host.encode("idna").decode("ascii").lower()
    return host.rstrip(".")


def _literal(host: str) -> Address | None:
    """The address a host spells, in any spelling that resolvers take; None for a name.

    Resolvers take `127.1`, `0x7f000001`, `017700000001` and `2130706433` for an address.
    """
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host is the machine itself, by a plain spelling."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
