//! A process as a unit of systemd: what it tells, what it is passed; and the unit itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod common;

use common::wire::Wire;
use common::{PATIENCE, Place, Program, Run, tool};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::Command;

/// A unit's process, and the socket where it tells how it is.
fn unit(place: &Place, watchdog_us: &str) -> (Program, UnixDatagram) {
    let notify = place.dir.join("notify");
    let socket = UnixDatagram::bind(&notify).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = place.soquete("run led_process");
    command.env("NOTIFY_SOCKET", notify).env("WATCHDOG_USEC", watchdog_us);
    (Program::begin(command), socket)
}

fn told(socket: &UnixDatagram) -> String {
    let mut room = [0; 500];
    let len = socket.recv(&mut room).unwrap();
    String::from_utf8(room[..len].to_vec()).unwrap()
}

/// Begins `soquete run led_process` as systemd begins a service whose sockets it holds: with the first who connects.
fn activated(place: &Place, listen: &[&str]) -> Program {
    let mut command = place.command(tool::find("systemd-socket-activate", "systemd"));
    for at in listen {
        command.args(["-l", at]);
    }
    for name in ["SOQUETE_CONFIG", "HOME", "XDG_RUNTIME_DIR", "TZ", "PATH"] {
        command.args(["-E", name]);
    }
    command.arg(env!("CARGO_BIN_EXE_soquete")).args(["run", "led_process"]);
    let activator = Program::begin(command);
    listen.iter().for_each(|_| _ = activator.next("Listening on "));
    activator
}

/// Serves an LED at these endpoints.
fn serving(endpoints: &str) -> Place {
    let place = Place::bare();
    place.write_config(&format!(
        "[processes.led_process]\nserve = {}\nsyslog = 'off'\n[processes.led_process.lines.LED]\noutput = 'log'\n",
        endpoints.replace("PORT", &place.port.to_string()).replace("HOST", &place.host.to_string())
    ));
    place
}

#[test]
fn it_tells_that_it_is_ready_that_it_lives_and_that_it_stops() {
    let place = Place::new();
    let (mut led, socket) = unit(&place, "20000");
    let mut heard = vec![told(&socket)];
    while heard.iter().filter(|words| *words == "WATCHDOG=1\n").count() < 3 {
        heard.push(told(&socket));
    }
    let ready = format!("READY=1\nSTATUS=serves {}\n", place.endpoint());
    assert_eq!(heard.iter().filter(|words| **words == ready).count(), 1, "{heard:?}");
    led.signal(Signal::TERM);
    while !told(&socket).starts_with("STOPPING=1\nSTATUS=stops ") {}
    assert_eq!(led.wait().code(), Some(0), "{}", led.log.text());
}

#[test]
fn one_that_is_held_gives_no_sign_of_life() {
    let place = Place::new();
    let (led, socket) = unit(&place, "20000");
    while told(&socket) != "WATCHDOG=1\n" {}
    led.signal(Signal::STOP);
    // Those that it gave before it was held.
    socket.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
    while socket.recv(&mut [0; 500]).is_ok() {}
    led.signal(Signal::CONT);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(told(&socket), "WATCHDOG=1\n");
}

#[test]
fn the_watchdog_of_another_process_is_not_its_own() {
    let place = Place::new();
    let notify = place.dir.join("notify");
    let socket = UnixDatagram::bind(&notify).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = place.soquete("run led_process");
    command.env("NOTIFY_SOCKET", notify).env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let mut led = Program::begin(command);
    assert!(told(&socket).starts_with("READY=1\n"));
    led.signal(Signal::TERM);
    assert!(told(&socket).starts_with("STOPPING=1\n"), "and nothing before");
    assert_eq!(led.wait().code(), Some(0));
}

#[test]
fn sockets_that_were_passed_are_served_and_the_others_bound() {
    let place = serving("['tcp://HOST:PORT', 'unix:led.sock', 'tcp://HOST:0']");
    let path = place.dir.join("led.sock");
    place.write_config(
        &std::fs::read_to_string(place.config()).unwrap().replace("led.sock", &format!("//{}", path.display())),
    );
    let led = activated(&place, &[&place.addr().to_string(), path.to_str().unwrap()]);
    // Whoever connects before the process runs is served as well.
    let mut wire = Wire::connect(place.addr());
    assert_eq!(wire.ask("LED ON"), "OK LED ON");
    let mut local = UnixStream::connect(&path).unwrap();
    std::io::Write::write_all(&mut local, b"LED\nQUIT\n").unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut local, &mut said).unwrap();
    assert_eq!(said, "OK LED ON\nOK QUIT\n");
    led.signal(Signal::TERM);
    led.next("LED Status: Off");
}

#[test]
fn datagrams_come_through_a_socket_that_was_passed() {
    let place = serving("['udp://HOST:PORT']");
    let mut command = place.command(tool::find("systemd-socket-activate", "systemd"));
    command.args(["-d", "-l", &place.addr().to_string(), "-E", "SOQUETE_CONFIG", "-E", "XDG_RUNTIME_DIR"]);
    command.arg(env!("CARGO_BIN_EXE_soquete")).args(["run", "led_process"]);
    let led = Program::begin(command);
    led.next("Listening on ");
    let client = std::net::UdpSocket::bind(SocketAddr::from((place.host, 0))).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send_to(b"LED ON\n", place.addr()).unwrap();
    let mut room = [0; 100];
    let (len, from) = client.recv_from(&mut room).unwrap();
    assert_eq!((&room[..len], from), (&b"OK LED ON\n"[..], place.addr()));
    led.signal(Signal::TERM);
    led.next("LED Status: Off");
}

#[test]
fn a_socket_that_it_does_not_serve_is_named_beside_what_it_does() {
    let place = serving("['unix:@led']");
    let mut led = activated(&place, &[&place.addr().to_string()]);
    let _first = std::net::TcpStream::connect(place.addr()).unwrap();
    led.next(&format!("passed was tcp://{}, which this process does not serve; it serves unix:@led", place.addr()));
    led.next("give socket unit and `serve` the same addresses");
    assert_eq!(led.wait().code(), Some(1));
}

#[test]
fn what_is_said_of_descriptors_and_is_nonsense_ends_the_start() {
    let place = Place::new();
    for (fds, pid) in [("many", "$$"), ("1", "me"), ("1000", "$$")] {
        let run = place.shell(&format!("LISTEN_FDS={fds} LISTEN_PID={pid} exec soquete run led_process"));
        assert_eq!(run.code, Some(1), "{fds} {pid}: {run:?}");
        assert!(run.err.starts_with("soquete: take over descriptors: "), "{run:?}");
        assert!(run.err.contains("\nLISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES say what was passed"), "{run:?}");
    }
}

#[test]
fn somebody_to_be_told_who_is_not_there_is_named() {
    let place = Place::new();
    for nowhere in ["/nonexistent", "@nobody listens", "relative", &"/x".repeat(200)] {
        let mut command = place.soquete("run led_process");
        command.env("NOTIFY_SOCKET", nowhere);
        let run = Run::of(command);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.err.starts_with(&format!("soquete: tell NOTIFY_SOCKET {nowhere}: ")), "{run:?}");
        assert!(run.err.contains("unset NOTIFY_SOCKET"), "{run:?}");
    }
}

/// Exposure as `systemd-analyze` counts it, from 0 to 10; and what it says of the units.
#[test]
fn the_unit_is_exposed_little_and_has_no_mistake() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let analyze = || {
        let mut command = Command::new(tool::find("systemd-analyze", "systemd"));
        command.current_dir(&dist);
        command
    };
    let mut security = analyze();
    security.args(["security", "--offline=yes", "--threshold=15", "soquete@.service"]);
    let run = Run::of(security);
    assert_eq!(run.code, Some(0), "an exposure above 1.5:\n{}{}", run.out, run.err);
    let mut verify = analyze();
    verify.args(["verify", "--man=no", "soquete@.service", "soquete.target", "examples/soquete@led_process.socket"]);
    let run = Run::of(verify);
    let wrong: Vec<&str> = run.err.lines().filter(|line| !line.contains("/usr/bin/soquete is not exec")).collect();
    assert_eq!(wrong, [""; 0], "where the program is not installed, that is all there is to say");
}

/// Without `User=` systemd takes the name before the `@`; a group of that name, which is no user's, keeps it from starting.
#[test]
fn each_unit_has_a_user_that_is_called_as_no_group_is() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let read = |file: &str| std::fs::read_to_string(dist.join(file)).unwrap();
    let unit = read("soquete@.service");
    let user = unit.lines().find_map(|line| line.strip_prefix("User=")).unwrap_or("soquete");
    assert!(user.contains("%i"), "all processes would be one user, {user}");
    let groups = read("soquete.sysusers");
    let mut groups = groups.lines().filter_map(|line| line.strip_prefix("g ")?.split_whitespace().next());
    assert!(groups.all(|group| group != user), "{user} is a group, too");
}
