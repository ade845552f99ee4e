//! With socat, in both directions.

use super::common::{Place, tool};
use super::kit::{Listener, begin, endpoint, send};

const SOCAT: (&str, &str) = ("socat", "socat");

#[test]
fn socat_talks_to_a_listener_over_every_kind_of_stream() {
    for (kind, address) in [("tcp", "TCP:"), ("unix", "UNIX-CONNECT:"), ("seqpacket", "UNIX-CONNECT:")] {
        let place = Place::bare();
        let mut listener = Listener::new(&place, &endpoint(&place, kind), &["--reply", "OK"]);
        let at = listener.at.split_once("//").unwrap().1;
        let kind_of_socket = if kind == "seqpacket" { ",type=5" } else { "" };
        let mut socat = tool::command(&place, "socat", "socat");
        let client = socat.args(["-t", "20", "-", &format!("{address}{at}{kind_of_socket}")]);
        assert_eq!(tool::feed(client, "LED ON\n").ok(), "OK\n", "{kind}");
        listener.program.next("LED ON");
        listener.done();
    }
}

#[test]
fn socat_talks_to_a_listener_over_datagrams() {
    for kind in ["udp", "unixgram"] {
        let place = Place::bare();
        let listener = Listener::new(&place, &endpoint(&place, kind), &["--reply", "OK"]);
        let at = listener.at.split_once("//").unwrap().1;
        let own = place.dir.join("own");
        let address = match kind {
            "udp" => format!("UDP:{at}"),
            _ => format!("UNIX-SENDTO:{at},bind={}", own.display()),
        };
        let client = begin(&place, SOCAT, &["-t", "20", "-", &address], b"LED ON\n");
        listener.program.next("LED ON");
        client.next("OK");
    }
}

#[test]
fn a_sender_without_a_name_is_heard_and_not_answered() {
    let place = Place::bare();
    let mut listener = Listener::new(&place, &endpoint(&place, "unixgram"), &["--reply", "OK"]);
    let address = format!("UNIX-SENDTO:{}", place.dir.join("unixgram").display());
    tool::feed(tool::command(&place, "socat", "socat").args(["-u", "-", &address]), "LED ON\n").ok();
    listener.program.log.wait_for("LED ON", 1);
    listener.program.log.wait_for("unixgram: no name is here, and cannot be answered", 1);
    listener.interrupt();
}

#[test]
fn what_socat_echoes_comes_back_over_every_kind() {
    for (kind, address) in [
        ("tcp", "TCP4-LISTEN:PORT,bind=HOST"),
        ("unix", "UNIX-LISTEN:PATH"),
        ("seqpacket", "UNIX-LISTEN:PATH,type=5"),
        ("udp", "UDP4-LISTEN:PORT,bind=HOST"),
        ("udp", "UDP4-RECVFROM:PORT,bind=HOST"),
        ("unixgram", "UNIX-RECVFROM:PATH"),
    ] {
        let place = Place::bare();
        let path = place.dir.join("echo").display().to_string();
        let (host, port) = (place.host.to_string(), place.port.to_string());
        let listens = address.replace("PORT", &port).replace("HOST", &host).replace("PATH", &path);
        let server = begin(&place, SOCAT, &["-d", "-d", &listens, "PIPE"], b"");
        server.next("ing on ");
        let at = if address.contains("PATH") { format!("{kind}://{path}") } else { format!("{kind}://{host}:{port}") };
        assert_eq!(send(&place, &at, &["LED ON"]).ok(), "LED ON\n", "{address}");
    }
}
