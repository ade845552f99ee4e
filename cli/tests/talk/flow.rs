//! Much at once, one direction beside the other, bounded memory.

use super::common::{Place, Program, until, vitals};
use super::kit::{Listener, endpoint, file, soquete};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Read;
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::Duration;

/// 50 MB in which every place can be told from its neighbours.
fn much() -> Vec<u8> {
    (0..12_500_000_u32).flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect()
}

#[test]
fn fifty_megabytes_arrive_whole_through_pipes_and_over_every_kind_of_stream() {
    let much = much();
    for kind in ["tcp", "unix", "seqpacket"] {
        let place = Place::bare();
        let (path, out) = (place.dir.join("in"), place.dir.join("out"));
        fs::write(&path, &much).unwrap();
        let line = format!("soquete listen {} --raw | cat > {}", endpoint(&place, kind), out.display());
        let mut listener = Listener::of(place.shell_command(&line));
        place.shell(&format!("cat {} | soquete send {} --raw", path.display(), listener.at)).ok();
        listener.done();
        assert!(fs::read(&out).unwrap() == much, "{kind}: something else arrived");
    }
}

#[test]
fn both_directions_are_full_at_the_same_time() {
    let much = &much()[..20_000_000];
    let place = Place::bare();
    let (input, out) = (place.dir.join("input"), place.dir.join("out"));
    fs::write(&input, much).unwrap();
    let (at, files) = (endpoint(&place, "tcp"), format!("< {} > {}", input.display(), out.display()));
    let mut listener = Listener::of(place.shell_command(&format!("exec soquete listen {at} --raw {files}")));
    let back = place.dir.join("back");
    place.shell(&format!("soquete send {} --raw < {} > {}", listener.at, input.display(), back.display())).ok();
    listener.done();
    assert!(fs::read(&out).unwrap() == much && fs::read(&back).unwrap() == much, "something else arrived");
}

#[test]
fn a_peer_that_takes_nothing_stops_the_input_and_memory_stays_small() {
    let much = much();
    let place = Place::bare();
    let server = TcpListener::bind((place.host, 0)).unwrap();
    let mut command = soquete(&place, &["send", &format!("tcp://{}", server.local_addr().unwrap()), "--raw"]);
    command.stdin(file(&place, &much));
    let mut sender = Program::begin(command);
    let (mut stream, _) = server.accept().unwrap();
    until("it has begun to read", || position(sender.pid()) > 1 << 20);
    // However much of it the kernel holds, it does not hold all of it.
    let mut arrived = Vec::new();
    let mut room = vec![0; 1 << 20];
    while arrived.len() < much.len() {
        assert!(vitals::memory_bytes(sender.pid()) < 24 << 20, "{}", vitals::memory_bytes(sender.pid()));
        let len = stream.read(&mut room).unwrap();
        assert!(len > 0, "it ended early");
        arrived.extend_from_slice(&room[..len]);
    }
    assert!(arrived == much, "something else arrived");
    drop(stream);
    assert_eq!(sender.wait().code(), Some(0), "{}", sender.log.text());
}

/// Returns how much a process has read of the file that is its standard input.
fn position(pid: u32) -> u64 {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/0")).unwrap();
    info.lines().find_map(|line| line.strip_prefix("pos:")).unwrap().trim().parse().unwrap()
}

#[test]
fn an_output_that_nobody_empties_does_not_hold_up_what_is_sent() {
    let place = Place::bare();
    let server = TcpListener::bind((place.host, 0)).unwrap();
    let mut command = soquete(&place, &["send", &format!("tcp://{}", server.local_addr().unwrap()), "--raw"]);
    let much = vec![7; 30_000_000];
    command.stdin(file(&place, &much)).stdout(Stdio::piped());
    let mut sender = command.spawn().unwrap();
    let (mut stream, _) = server.accept().unwrap();
    let mut talking = stream.try_clone().unwrap();
    // More than every buffer on its way: it is taken only once the output is read.
    let speech = std::thread::spawn(move || std::io::Write::write_all(&mut talking, &vec![9; 30_000_000]));
    let mut arrived = Vec::new();
    stream.read_to_end(&mut arrived).unwrap();
    assert_eq!(arrived.len(), much.len());
    let mut heard = vec![0; 30_000_000];
    sender.stdout.as_mut().unwrap().read_exact(&mut heard).unwrap();
    speech.join().unwrap().unwrap();
    drop(stream);
    assert!(sender.wait().unwrap().success());
}

#[test]
fn whoever_waits_costs_nothing() {
    let place = Place::bare();
    let server = TcpListener::bind((place.host, 0)).unwrap();
    let mut command = soquete(&place, &["send", &format!("tcp://{}", server.local_addr().unwrap()), "--wait", "1h"]);
    // Nothing comes from there, and it does not end.
    command.stdin(Stdio::piped());
    let sender = Program::begin(command);
    let (stream, _) = server.accept().unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    // The end of its standard input was read, that of the peer was not.
    let listener = Listener::saying(&place, &endpoint(&place, "unix"), b"hello\n", &[]);
    let mut client = UnixStream::connect(place.dir.join("unix")).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    // Its output takes nothing more, and the flood waits for that.
    let mut stalled = soquete(&place, &["listen", &endpoint(&place, "seqpacket"), "--raw"]);
    let mut stalled = Stalled(stalled.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    until("it listens", || place.dir.join("seqpacket").exists());
    let mut flood = soquete(&place, &["send", &endpoint(&place, "seqpacket"), "--raw"]);
    flood.stdin(file(&place, &vec![7; 10_000_000]));
    let flood = Program::begin(flood);
    let pids = [sender.pid(), listener.program.pid(), stalled.0.id(), flood.pid()];
    let cpu_time = || pids.map(vitals::cpu_time).iter().sum::<Duration>();
    // Until what there was to do is done: nothing says so but that nothing is done any more.
    let mut before = cpu_time();
    until("everybody waits", || {
        // sleep is the thing under test: what is done while nothing happens.
        std::thread::sleep(Duration::from_millis(200));
        let used = cpu_time() - std::mem::replace(&mut before, cpu_time());
        used < Duration::from_millis(5)
    });
    // What nobody takes does not keep it from ending, either.
    kill_process(Pid::from_child(&stalled.0), Signal::INT).unwrap();
    assert_eq!(stalled.0.wait().unwrap().code(), Some(0));
}

/// A program whose output is not read; it is killed with the test.
struct Stalled(Child);

impl Drop for Stalled {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
