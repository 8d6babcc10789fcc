"""Python runs this first in the kernels of the stress tests, and in what they start."""

import locale
import os
import socket
import sys

HERE = ("", "localhost", "::1", socket.gethostname())


def refuse(event: str, arguments: tuple) -> None:
    """Write down and refuse every attempt to reach another machine from Python."""
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host or ""
    if host not in HERE and not host.startswith("127."):
        with open(os.environ["NETWORK_LOG"], "a") as log:
            log.write(f"{host}\n")
        raise OSError(101, "Network is unreachable")


sys.addaudithook(refuse)
locale.setlocale(locale.LC_ALL, "")  # or Python leaves numbers as they are
