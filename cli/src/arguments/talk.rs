//! The arguments of `soquete send` and `soquete listen`.

use std::ffi::OsString;

use clap::Args;
use soquete::Endpoint;
use soquete_node::config::Timeout;

const SENDS: &str = "\
Examples:
  soquete send tcp://127.0.0.1:5555 'LED ON'         one line, and its answer
  soquete send unix:///tmp/chat.sock                 what you type, until Ctrl-D
  soquete send udp://127.0.0.1:5555 LED --timeout 2s
  soquete send seqpacket:@led --hex '4c 45 44 0a'    octets, given and printed as hex
  soquete send tcp://10.0.0.2:9000 --raw < photo.jpg
  soquete send --frames tcp://127.0.0.1:5555 'LED TOGGLE'";

const ENDS: &str = "\
Exit codes:
  0  all was sent, and the peer ended in order or its time was over
  1  not done: refused, nobody there, or no answer within --timeout
  2  wrong arguments; nothing was begun
  3  the connection broke after something was sent: nobody can say what arrived

Ctrl-C, SIGTERM and SIGHUP end it in order, with 0. Another within half a second is the
same one; a later one ends it at once, with 3.";

/// What an endpoint is for `send` and `listen`, in place of what it is in general: no other process can reach `mem:`.
const MEM: [(&str, &str); 2] =
    [("unixgram:///PATH or mem:NAME", "or unixgram:///PATH"), ("behind `@` or `mem:`", "behind `@`")];

/// Sends messages or standard input to an endpoint, and prints what comes back
///
/// Each MESSAGE is sent as a line (over datagrams and seqpacket as one datagram or packet), then the sending side is
/// closed, and answers are printed until the peer ends. Without a MESSAGE standard input goes to the socket as it comes;
/// where each datagram or packet is by itself, so is each line.
#[derive(Args, Debug)]
#[command(after_help = SENDS, after_long_help = format!("{SENDS}\n\n{ENDS}"))]
pub(crate) struct Send {
    /// Where to: tcp, unix, seqpacket, udp or unixgram
    #[arg(value_parser = endpoint)]
    pub(crate) endpoint: Endpoint,
    /// What to send; standard input where there is none
    #[arg(value_name = "MESSAGE")]
    pub(crate) messages: Vec<OsString>,
    /// Sends this octet as urgent data (MSG_OOB) behind the messages: one character, or 0x and two hex digits
    ///
    /// Only TCP has urgent data. The peer hears of it before it reads what was sent earlier.
    #[arg(long, value_name = "OCTET", value_parser = octet, conflicts_with = "frames")]
    pub(crate) urgent: Option<u8>,
    #[command(flatten)]
    pub(crate) manner: Manner,
}

/// Listens at an endpoint, prints what comes, and sends standard input back
///
/// Takes one client, or over datagrams the first sender, talks with it, and ends with it. Who is refused, or comes and goes
/// without an octet (`nc -N` with an empty input, say), is not that client: the next is waited for. Once standard input has ended,
/// the sending side is closed; one that was empty from the start, as /dev/null is, closes nothing. Port 0 takes a free
/// port. It only shows what comes, so it may listen off loopback, and then says that everybody can reach it.
///
/// Ctrl-C, SIGTERM and SIGHUP end it in order, with exit code 0. Another within half a second is the same one; a later one
/// ends it at once, with 1.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  soquete listen tcp://127.0.0.1:0                   says at which port, and what to type there
  soquete listen unix:///tmp/chat.sock --keep        every client, each line with who said it
  soquete listen udp://127.0.0.1:5555 --reply OK     answers each datagram
  soquete listen tcp://127.0.0.1:9000 --raw > photo.jpg
  soquete listen --frames tcp://127.0.0.1:5555       shows what clients of frames ask for")]
pub(crate) struct Listen {
    /// Where: tcp, unix, seqpacket, udp or unixgram
    #[arg(value_parser = endpoint)]
    pub(crate) endpoint: Endpoint,
    /// Goes on with further clients, up to 256 at once; standard input is not read then
    ///
    /// Each line is printed behind the client it is from, but for --raw. Ends with Ctrl-C.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Answers each message with this; standard input is not read then
    ///
    /// A message is a line, a datagram or a packet; of a stream under --raw or --hex what one receive brings.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reply: Option<OsString>,
    #[command(flatten)]
    pub(crate) manner: Manner,
}

/// How one talks.
#[derive(Args, Clone, Debug)]
pub(crate) struct Manner {
    /// Takes octets as they are: adds no line ends; one MESSAGE, or one read of at most 8 KiB, is one datagram or packet
    #[arg(long, conflicts_with_all = ["hex", "frames"])]
    pub(crate) raw: bool,
    /// Reads messages and prints what comes as hex, such as `4c 45 44` or 0x4c4544; a line for each message
    #[arg(long)]
    pub(crate) hex: bool,
    /// Speaks frames (PROTOCOL.md): each message is a request that is done once or not at all
    ///
    /// `send` prints the reply to each MESSAGE or line of standard input. `listen` shows what is asked, and answers with
    /// nothing or with --reply; it reads no standard input.
    #[arg(long)]
    pub(crate) frames: bool,
    /// The service, with --frames
    #[arg(long, value_name = "NAME", default_value = "board", requires = "frames")]
    pub(crate) service: String,
    /// Gives up after this time without a connection, or without anything moving: 1ms to 1h
    ///
    /// Else connecting may take 5s, and silence lasts as long as it likes. Silence is a failure only where nothing was
    /// received at all. With --keep it is the time after which a silent client is let go, and after which the
    /// listener itself ends while nobody is here. With `send --frames` it is the
    /// time for each request, else 5s.
    #[arg(long, value_name = "T")]
    pub(crate) timeout: Option<Timeout>,
    /// Once one side has ended, ends after this time without anything moving: 1ms to 1h
    ///
    /// Else 1s after the peer's end, and 1s after what `send` has sent as datagrams, which have no end; after the end of
    /// what is sent over a stream it waits for the peer's.
    #[arg(long, value_name = "T", conflicts_with = "frames")]
    pub(crate) wait: Option<Timeout>,
    /// Shows what comes first without taking it (MSG_PEEK), on standard error, before it goes on
    #[arg(long, conflicts_with = "frames")]
    pub(crate) peek: bool,
}

/// Reads an endpoint, and offers what another process can reach where it is none.
fn endpoint(text: &str) -> Result<Endpoint, String> {
    text.parse().map_err(|wrong: soquete::EndpointError| {
        MEM.iter().fold(wrong.to_string(), |wrong, (general, here)| wrong.replace(general, here))
    })
}

/// Reads one octet: a character, or `0x` and two hex digits.
fn octet(text: &str) -> Result<u8, String> {
    let hex = text.strip_prefix("0x").filter(|digits| digits.len() == 2);
    match (hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()), text.as_bytes()) {
        (Some(octet), _) => Ok(octet),
        (None, [octet]) => Ok(*octet),
        _ => Err("expected one octet, such as ! or 0x21".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn send(line: &str) -> Result<Send, clap::Error> {
        match Arguments::try_parse_from(line.split_whitespace())?.command {
            Some(Command::Send(send)) => Ok(send),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn messages_and_options_come_in_any_order() {
        let parsed = send("soquete send tcp://127.0.0.1:1 one --raw two --timeout 2s").unwrap();
        assert_eq!(parsed.messages, ["one", "two"]);
        assert!(parsed.manner.raw && parsed.manner.timeout.is_some());
        assert_eq!(send("soquete send unix:@a -- -x").unwrap().messages, ["-x"]);
        for wrong in [
            "",
            "nowhere",
            "unix:@a --raw --hex",
            "unix:@a --service x",
            "unix:@a --frames --peek",
            "unix:@a --frames --raw",
        ] {
            assert!(send(&format!("soquete send {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_no_process_can_reach_is_not_offered() {
        for wrong in ["nowhere", "http://a:1", "unix:@"] {
            let wrong = send(&format!("soquete send {wrong}")).unwrap_err().to_string();
            assert!(!wrong.contains("mem:") && wrong.contains("expected"), "{wrong}");
        }
    }

    #[test]
    fn an_urgent_octet_is_one() {
        for (text, expected) in [("!", 0x21), ("0x21", 0x21), ("0xfF", 0xFF), ("0", 0x30)] {
            assert_eq!(octet(text), Ok(expected), "{text}");
        }
        for wrong in ["", "ab", "0x", "0x1", "0xgg", "0x123", "é"] {
            assert!(octet(wrong).is_err(), "{wrong}");
        }
    }
}
