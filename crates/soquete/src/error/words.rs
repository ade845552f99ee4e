//! What a cause is called and what a person can do about it. The words are ours, so they are the same on every libc.

use std::{fmt, io};

use rustix::io::Errno;

use super::{Cause, Error, Operation};

/// Each errno a socket call is known to give on Linux and Windows, in a few words.
const WORDS: &[(Errno, &str)] = &[
    (Errno::ACCESS, "permission denied"),
    (Errno::ADDRINUSE, "address in use"),
    (Errno::ADDRNOTAVAIL, "address not available"),
    (Errno::AFNOSUPPORT, "address family not supported"),
    (Errno::BADF, "descriptor not open"),
    (Errno::CONNABORTED, "connection aborted"),
    (Errno::CONNREFUSED, "connection refused"),
    (Errno::CONNRESET, "connection reset by peer"),
    (Errno::HOSTDOWN, "host is down"),
    (Errno::HOSTUNREACH, "no route to host"),
    (Errno::INTR, "interrupted"),
    (Errno::INVAL, "invalid argument"),
    (Errno::ISCONN, "already connected"),
    (Errno::LOOP, "too many symbolic links"),
    (Errno::MFILE, "too many open files in this process"),
    (Errno::MSGSIZE, "message too long"),
    (Errno::NAMETOOLONG, "name too long"),
    (Errno::NETDOWN, "network is down"),
    (Errno::NETUNREACH, "network unreachable"),
    (Errno::NOBUFS, "no buffer space left"),
    (Errno::NOTCONN, "not connected"),
    (Errno::NOTSOCK, "not a socket"),
    (Errno::PROTOTYPE, "a socket of another kind"),
    (Errno::SHUTDOWN, "shut down by this program"),
    (Errno::TIMEDOUT, "connection timed out"),
];

/// Those that Windows does not have.
#[cfg(unix)]
const WORDS_OF_UNIX: &[(Errno, &str)] = &[
    (Errno::IO, "input or output error"),
    (Errno::NFILE, "too many open files on this machine"),
    (Errno::NODEV, "no such network interface"),
    (Errno::NOENT, "no such file or folder"),
    (Errno::NOMEM, "out of memory"),
    (Errno::NOSPC, "no space left on the file system"),
    (Errno::NOTDIR, "a part of the path is no folder"),
    (Errno::PERM, "operation not permitted"),
    (Errno::PIPE, "the peer has closed the connection"),
    (Errno::ROFS, "read-only file system"),
];

#[cfg(windows)]
const WORDS_OF_UNIX: &[(Errno, &str)] = &[];

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write_io(f, error),
            Self::Timeout => f.write_str("timed out"),
            Self::Rejected { code, text } => write!(f, "rejected: {text} (code {code})"),
            Self::Protocol(fault) => write!(f, "{fault}"),
            Self::Oversize { len_bytes, max_bytes } => {
                write!(f, "message of {len_bytes} octets, at most {max_bytes} allowed")
            }
            Self::Closed => f.write_str("closed by peer"),
            Self::Unresolved(error) if is_temporary(error) => f.write_str("no name server answers"),
            Self::Unresolved(_) => f.write_str("unknown host name"),
            Self::Busy(what) | Self::Misuse(what) => f.write_str(what),
            Self::FileInTheWay => f.write_str("a file that is no socket is in the way"),
        }
    }
}

/// Gives the errno behind a cause, where there is one.
pub(super) fn errno(cause: &Cause) -> Option<Errno> {
    match cause {
        Cause::Io(error) => Errno::from_io_error(error),
        _ => None,
    }
}

fn write_io(f: &mut fmt::Formatter<'_>, error: &io::Error) -> fmt::Result {
    let Some(errno) = Errno::from_io_error(error) else {
        return write!(f, "{error}");
    };
    match WORDS.iter().chain(WORDS_OF_UNIX).find(|(known, _)| *known == errno) {
        Some((_, words)) => f.write_str(words),
        None => write!(f, "{} (os error {})", error.kind(), errno.raw_os_error()),
    }
}

/// Tells a name service that fails from a name that does not exist. The standard library keeps only the text of
/// getaddrinfo's code, so this knows the texts of glibc and musl.
fn is_temporary(error: &io::Error) -> bool {
    let text = error.to_string();
    text.contains("Temporary failure") || text.contains("Try again")
}

impl Error {
    /// Says what a person can do about it, where there is something to say: one line, no full stop.
    #[must_use]
    pub fn act(&self) -> Option<&'static str> {
        match self.cause() {
            Cause::Misuse(what) if *what == NO_SESSION_WORDS => Some(TELL_ALL),
            Cause::FileInTheWay => Some("move the file away or choose another path; soquete never removes it"),
            Cause::Unresolved(_) => Some("check the spelling, and that this machine finds names: `getent hosts NAME`"),
            Cause::Timeout if self.operation() == Operation::Connect && self.scheme() == "unix" => Some(QUEUE_FULL),
            Cause::Timeout if self.operation() == Operation::Connect => Some(BLACK_HOLE),
            Cause::Oversize { .. } => self.act_on_length(),
            cause => self.act_on(errno(cause)?),
        }
    }

    /// Names the tools of Windows nowhere, since nobody has tried them.
    #[cfg(windows)]
    fn act_on(&self, errno: Errno) -> Option<&'static str> {
        if errno == Errno::MSGSIZE { self.act_on_length() } else { None }
    }

    #[cfg(unix)]
    fn act_on(&self, errno: Errno) -> Option<&'static str> {
        let scheme = self.scheme();
        let binds = matches!(self.operation(), Operation::Bind | Operation::Listen);
        Some(match (errno, scheme) {
            (Errno::ADDRINUSE, "tcp") => "another program listens there: `ss -ltnp` names it",
            (Errno::ADDRINUSE, "udp") => "another program receives there: `ss -lunp` names it",
            (Errno::ADDRINUSE, "unix") => "another program listens there: `ss -lxp` names it",
            (Errno::ADDRNOTAVAIL, _) if binds => "listen at an address of this machine: `ip address` lists them",
            (Errno::ADDRNOTAVAIL, _) => "every local port is in use: keep connections open instead of making new ones",
            (Errno::ACCESS, "tcp" | "udp") if binds => "choose a port of 1024 or more, or grant CAP_NET_BIND_SERVICE",
            (Errno::ACCESS, "udp") => "it is a broadcast address: add `?broadcast=yes` to reach every machine there",
            (Errno::ACCESS, "unix") if binds => "this user needs the right to read and write the folder",
            (Errno::ACCESS, "unix") => "this user needs the right to write to the socket: `ls -l` shows its mode",
            (Errno::CONNREFUSED, _) => "start the program that listens there, or check the address",
            (Errno::HOSTUNREACH | Errno::NETUNREACH, _) => "check that both machines are on the network",
            (Errno::TIMEDOUT, _) => BLACK_HOLE,
            (Errno::MFILE, _) => "raise the limit of open files: `ulimit -n`, or LimitNOFILE= of the unit",
            (Errno::NODEV, _) => "name one that is there: `ip link` lists them",
            (Errno::NOENT, "unix") if binds => "create the folder first",
            (Errno::NOENT, "unix") => "start the program that listens there, or check the path",
            (Errno::MSGSIZE, _) => self.act_on_length()?,
            _ => return None,
        })
    }

    /// Says what to do about a message that is too long where the kernel bounds messages.
    fn act_on_length(&self) -> Option<&'static str> {
        let is_bounded = matches!(self.written_scheme(), "udp" | "seqpacket" | "unixgram");
        is_bounded.then(|| match self.operation() {
            Operation::Receive => "receive into a larger buffer",
            _ => "send it in parts, or over `tcp:` or `unix:`, which set no bound to a message",
        })
    }

    /// Gives the kind of the address; the three kinds of Unix sockets are one here.
    fn scheme(&self) -> &str {
        match self.written_scheme() {
            "seqpacket" | "unixgram" => "unix",
            scheme => scheme,
        }
    }

    fn written_scheme(&self) -> &str {
        self.address().and_then(|address| address.split_once(':')).map_or("", |(scheme, _)| scheme)
    }
}

const NO_SESSION_WORDS: &str = "a group has no session";

/// Refuses a session with many at once.
pub(crate) const NO_SESSION: Cause = Cause::Misuse(NO_SESSION_WORDS);

const TELL_ALL: &str = "tell all of it without one: `soquete send ENDPOINT 'LED ON'`, in Rust an `Announcement`";

const QUEUE_FULL: &str = "the program that listens there does not accept: look whether it hangs";

const BLACK_HOLE: &str = "check that the machine is on and that no firewall drops the packets";

#[cfg(test)]
mod tests {
    use super::*;

    fn line(operation: Operation, address: &str, cause: impl Into<Cause>) -> String {
        Error::new(operation, address, cause).to_string()
    }

    #[test]
    fn every_errno_that_cannot_be_provoked_at_will_has_its_words() {
        let far = "tcp://10.0.0.2:5555";
        let connect = |errno: Errno| line(Operation::Connect, far, errno);
        assert_eq!(connect(Errno::TIMEDOUT), "connect tcp://10.0.0.2:5555: connection timed out");
        assert_eq!(connect(Errno::HOSTUNREACH), "connect tcp://10.0.0.2:5555: no route to host");
        assert_eq!(connect(Errno::NETUNREACH), "connect tcp://10.0.0.2:5555: network unreachable");
        assert_eq!(line(Operation::Send, far, Errno::MSGSIZE), "send tcp://10.0.0.2:5555: message too long");
        let bind = line(Operation::Bind, "tcp://127.0.0.1:80", Errno::ACCESS);
        assert_eq!(bind, "bind tcp://127.0.0.1:80: permission denied");
        let accept = line(Operation::Accept, "unix:@led", Errno::MFILE);
        assert_eq!(accept, "accept unix:@led: too many open files in this process");
    }

    #[test]
    fn every_cause_has_its_words() {
        let words = |cause: Cause| cause.to_string();
        let rejected = Cause::Rejected { code: 3, text: "unknown service".into() };
        assert_eq!(words(rejected), "rejected: unknown service (code 3)");
        assert_eq!(words(Cause::Oversize { len_bytes: 9, max_bytes: 8 }), "message of 9 octets, at most 8 allowed");
        assert_eq!(words(Cause::Closed), "closed by peer");
        assert_eq!(words(Cause::Protocol("bad magic".into())), "bad magic");
        assert_eq!(words(Cause::Unresolved(io::Error::other("Name does not resolve"))), "unknown host name");
        let temporary = io::Error::other("failed to lookup address information: Temporary failure");
        assert_eq!(words(Cause::Unresolved(temporary)), "no name server answers");
    }

    #[test]
    fn an_unknown_errno_still_prints_in_one_line_without_strerror() {
        assert_eq!(Cause::from(Errno::XDEV).to_string(), "cross-device link or rename (os error 18)");
        assert_eq!(Cause::from(io::Error::other("own words")).to_string(), "own words");
    }

    #[test]
    fn no_errno_is_listed_twice() {
        let words = [WORDS, WORDS_OF_UNIX].concat();
        for (place, (errno, _)) in words.iter().enumerate() {
            assert!(!words[..place].iter().any(|(other, _)| other == errno), "{errno:?}");
        }
    }

    #[test]
    fn it_says_what_a_person_can_do() {
        let act = |operation, address: &str, errno: Errno| Error::new(operation, address, errno).act();
        let in_use = act(Operation::Listen, "tcp://127.0.0.1:5555", Errno::ADDRINUSE);
        assert_eq!(in_use, Some("another program listens there: `ss -ltnp` names it"));
        let denied = act(Operation::Bind, "tcp://127.0.0.1:80", Errno::ACCESS);
        assert_eq!(denied, Some("choose a port of 1024 or more, or grant CAP_NET_BIND_SERVICE"));
        assert_eq!(act(Operation::Bind, "unix:///no/led.sock", Errno::NOENT), Some("create the folder first"));
        assert_eq!(act(Operation::Send, "tcp://10.0.0.2:5555", Errno::PIPE), None);
    }
}
