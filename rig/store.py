"""Runs a command as systemd runs a service with a descriptor store: keeps what it stores, and begins it again when it dies.

Says what it was told, a line each. Ends when the command has ended well.
"""

import array
import fcntl
import os
import socket
import sys

NOTIFY = "/run/notify"


def begin(store):
    """Begins the command, with what is stored as descriptors from 3 on."""
    child = os.fork()
    if child == 0:
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for _, fd in store]
        for number, fd in enumerate(high, 3):
            os.dup2(fd, number, inheritable=True)
        os.closerange(3 + len(high), 256)
        if store:
            names = ":".join(name for name, _ in store)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(store)), LISTEN_FDNAMES=names)
        os.execvp(sys.argv[1], sys.argv[1:])
    print("began", child, flush=True)
    return child


def hear(notify, store):
    """Takes one message, if there is one."""
    try:
        text, handed, _, _ = notify.recvmsg(4096, socket.CMSG_SPACE(4))
    except TimeoutError:
        return
    fds = array.array("i")
    for _, _, octets in handed:
        fds.frombytes(octets[: len(octets) // 4 * 4])
    said = dict(line.split("=", 1) for line in text.decode().split("\n") if "=" in line)
    name = said.get("FDNAME", "stored")
    if "FDSTORE" in said:
        store.extend((name, fd) for fd in fds)
    else:
        [os.close(fd) for fd in fds]
    if "FDSTOREREMOVE" in said:
        [os.close(fd) for known, fd in store if known == name]
        store[:] = [entry for entry in store if entry[0] != name]
    print(text.decode().strip().replace("\n", " "), flush=True)


def main():
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(NOTIFY)
    notify.settimeout(0.02)
    os.environ["NOTIFY_SOCKET"] = NOTIFY
    store = []
    child = begin(store)
    while True:
        hear(notify, store)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended and status == 0:
            return
        if ended:
            child = begin(store)


main()
