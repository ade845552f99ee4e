//! More than one machine, and a machine of one's own: the story where every port and every file is free.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod common;

use common::machine::Machine;
use common::{Place, tool, until};

/// What puts a HELLO for the board on the wire, as `printf` of a shell reads it.
fn hello() -> String {
    common::wire::hello("board").iter().map(|octet| format!("\\{octet:03o}")).collect()
}

#[test]
fn a_machine_of_the_network_may_use_the_port_and_one_of_another_is_told_why_not() {
    let place = Place::bare();
    let home = Machine::new(&place);
    home.empty_tmp();
    let (friend, stranger) = (home.beside(), home.beside());
    home.wire("tofriend", "10.0.0.100/24", &friend, "10.0.0.7/24");
    home.wire("tostranger", "10.9.9.100/24", &stranger, "10.9.9.7/24");
    stranger.shell("ip route add default via 10.9.9.100").ok();
    // The built-in configuration, as it stands.
    let up = home.begin("SOQUETE_CONFIG= exec soquete up --anyone-from 10.0.0.0/24");
    up.next("stops everything");
    assert!(up.log.text().contains("10.0.0.0/24"), "{}", up.log.text());

    for (netcat, package) in tool::NETCATS {
        tool::find(netcat, package);
        let typed = friend.shell(&format!("printf 'LED ON\\nQUIT\\n' | timeout 20 {netcat} 10.0.0.100 5555")).ok();
        assert_eq!(typed, "OK LED ON\nOK QUIT\n", "{netcat}");
        up.next("LED Status: On");
    }
    let far = "--at tcp://10.0.0.100:5555";
    assert_eq!(friend.shell(&format!("soquete toggle LED {far}")).ok(), "LED off\n");
    up.next("LED off, by soquete (tcp://10.0.0.7:");
    assert!(friend.shell("timeout 20 curl -s http://10.0.0.100:5555/").ok().contains("LED OFF"));
    // The rule of this machine sends to 127.0.0.1 as before.
    home.shell("echo 0 > /tmp/tcp_file").ok();
    up.next("BUTTON press: LED TOGGLE to tcp://127.0.0.1:5555: done");

    let why = "10.9.9.7 may not use this port: it is open to 10.0.0.0/24";
    for host in ["10.9.9.100", "10.0.0.100"] {
        for (netcat, _) in tool::NETCATS {
            let typed = stranger.shell(&format!("printf 'LED OFF\\nQUIT\\n' | timeout 20 {netcat} {host} 5555")).ok();
            assert_eq!(typed, format!("ERR {why}\n"), "{netcat}");
        }
        let page = stranger.shell(&format!("timeout 20 curl -si http://{host}:5555/")).ok();
        assert!(
            page.starts_with("HTTP/1.1 403 Forbidden\r\n") && page.ends_with(&format!("\r\n\r\n{why}\n")),
            "{page}"
        );
        let frames = format!("(printf '{}'; cat /dev/zero) | timeout 20 nc.openbsd {host} 5555", hello());
        let reject = stranger.shell(&frames).out;
        assert_eq!(reject.as_bytes()[4], common::wire::REJECT);
        assert!(reject.ends_with(why), "{reject:?}");
        let toggle = stranger.shell(&format!("soquete toggle LED --at tcp://{host}:5555"));
        assert_eq!(toggle.code, Some(1), "{toggle:?}");
        assert!(toggle.err.contains(why), "{toggle:?}");
        up.next("refused tcp://10.9.9.7:");
    }
    assert_eq!(home.shell("soquete get LED --platform pc").ok(), "on\n");
}

#[test]
fn off_loopback_a_port_is_not_bound_without_a_word_about_who_may_use_it() {
    let place = Place::bare();
    let home = Machine::new(&place);
    for address in ["0.0.0.0", "10.0.0.100", "[::]"] {
        place.write_config(&format!("[processes.led_process]\nserve = ['tcp://{address}:5555']\n"));
        let up = home.shell("soquete up");
        assert_eq!(up.code, Some(2), "{up:?}");
        assert!(up.err.contains("anyone-from") && up.err.contains("soquete.toml:2:"), "{up:?}");
    }
}

#[test]
fn the_session_of_the_readme_works_word_for_word() {
    let place = Place::bare();
    let home = Machine::new(&place);
    home.empty_tmp();
    tool::find("nc", "netcat-openbsd");
    // An empty variable is none, and there is no file: the built-in configuration.
    let shell = |line: &str| home.shell(&format!("unset SOQUETE_CONFIG; {line}")).ok();
    let up = home.begin("unset SOQUETE_CONFIG; exec soquete up");
    up.next("stops everything");

    shell(r#"echo "0" > /tmp/tcp_file"#);
    up.next("LED Status: On");
    shell(r#"echo "0" > /tmp/tcp_file"#);
    up.next("LED Status: Off");
    shell("soquete press BUTTON");
    up.next("LED Status: On");
    assert_eq!(shell(r"printf 'LED ON\nQUIT\n' | timeout 20 nc 127.0.0.1 5555").lines().next(), Some("OK LED ON"));
    assert_eq!(shell("soquete toggle LED; soquete get LED"), "LED off\noff\n");
    let watch = home.begin("unset SOQUETE_CONFIG; exec soquete watch LED");
    until("it watches", || {
        shell("soquete toggle LED");
        !watch.log.lines().is_empty()
    });
    assert!(watch.log.text().contains("by soquete"), "{}", watch.log.text());
    assert!(shell("soquete lines").contains("BUTTON"));
    assert!(shell("soquete status").contains("serves tcp://127.0.0.1:5555"));
    assert!(shell("soquete logs").contains("led_process | LED TCP["));
    let found = shell("ps -ef | grep _process");
    assert!(found.contains(" led_process run") && found.contains(" button_process run"), "{found}");
    shell("soquete down");
    assert!(shell("ls /tmp").lines().all(|name| name == "bin" || place.dir.ends_with(name)), "nothing stays behind");
}

#[test]
fn tcpdump_shows_the_handshake_and_the_message() {
    let place = Place::new();
    tool::find("tcpdump", "tcpdump");
    let line = format!("exec tcpdump -i lo -nnSX -l -Z root port {}", place.port);
    let home = Machine::around(&place, &line);
    let dump = &home.holder;
    dump.next("listening on lo");
    let up = home.begin("exec soquete up");
    up.next("stops everything");
    place.press(1);
    up.next(&format!("BUTTON press: LED TOGGLE to {}: done", place.endpoint()));
    dump.next("Flags [S],");
    dump.next("Flags [S.],");
    dump.next("Flags [.],");
    dump.next(".SOQ");
    dump.next("TOGGLE");
    dump.next("OK.LED.ON");
}
