//! Streams and datagrams in tokio's hands, for programs with a protocol of their own.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use soquete::{
    Address, AsyncDatagram, AsyncStream, Cause, Datagram, DatagramOptions, Endpoint, ListenOptions, Listener, Stream,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(10);

fn places(kinds: &[&str]) -> Vec<Endpoint> {
    kinds.iter().map(|kind| kind.replace("PID", &std::process::id().to_string()).parse().unwrap()).collect()
}

fn streams(test: &str) -> Vec<Endpoint> {
    let unix = format!("unix:@soquete-PID-{test}");
    let (seqpacket, mem) = (unix.replace("unix:", "seqpacket:"), format!("mem:{test}"));
    places(&["tcp://127.0.0.1:0", "tcp://[::1]:0", &unix, &seqpacket, &mem])
}

async fn pair(place: &Endpoint) -> (AsyncStream, AsyncStream) {
    let listener = Listener::bind(place, &ListenOptions::default()).unwrap();
    let client = AsyncStream::connect(listener.local(), PATIENCE).await.unwrap();
    (client, AsyncStream::try_from(listener.accept().unwrap().0).unwrap())
}

#[tokio::test]
async fn octets_go_both_ways_and_each_direction_ends_by_itself() {
    for place in streams("async-both-ways") {
        let (mut client, mut server) = pair(&place).await;
        client.write_all(b"LED ON").await.unwrap();
        client.shutdown().await.unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "LED ON", "{place}");
        server.write_all(b"OK").await.unwrap();
        drop(server);
        let mut ok = [0; 2];
        client.read_exact(&mut ok).await.unwrap();
        assert_eq!(&ok, b"OK");
        assert_eq!(client.read(&mut ok).await.unwrap(), 0);
        // The peer is gone: there is nothing more to end.
        client.shutdown().await.ok();
    }
}

#[tokio::test]
async fn a_write_into_a_full_buffer_waits_for_the_reader() {
    for place in streams("async-full") {
        let (mut client, mut server) = pair(&place).await;
        let writer = tokio::spawn(async move {
            for _ in 0..256 {
                client.write_all(&[7; 16 << 10]).await.unwrap();
            }
        });
        let (mut received, mut buf) = (0, vec![0; 16 << 10]);
        loop {
            match server.read(&mut buf).await.unwrap() {
                0 => break,
                len => received += len,
            }
        }
        writer.await.unwrap();
        assert_eq!(received, 256 * (16 << 10), "{place}");
    }
}

#[tokio::test]
async fn a_packet_is_read_whole_or_it_is_an_error() {
    let place = &places(&["seqpacket:@soquete-PID-async-packets"])[0];
    let (mut client, mut server) = pair(place).await;
    for packet in [&b"LED ON"[..], b"LED", b"!"] {
        assert_eq!(client.write(packet).await.unwrap(), packet.len());
    }
    let mut buf = [0; 3];
    assert_eq!(server.read(&mut buf).await.unwrap_err().raw_os_error(), Some(90), "EMSGSIZE");
    assert_eq!(server.read(&mut buf).await.unwrap(), 3);
    assert_eq!(server.read(&mut buf).await.unwrap(), 1);
    let stream = Stream::try_from(server).unwrap();
    assert!(stream.keeps_packets());
}

#[tokio::test]
async fn a_connect_that_fails_names_the_endpoint() {
    let nobody = &places(&["seqpacket:@soquete-PID-async-nobody"])[0];
    let error = AsyncStream::connect(nobody, PATIENCE).await.unwrap_err();
    assert_eq!(error.to_string(), format!("connect {nobody}: connection refused"));
    let udp = "udp://127.0.0.1:1".parse().unwrap();
    assert!(matches!(AsyncStream::connect(&udp, PATIENCE).await.unwrap_err().cause(), Cause::Misuse(_)));
}

#[tokio::test]
async fn a_datagram_arrives_with_its_sender_who_can_be_answered() {
    let options = DatagramOptions::default();
    for place in places(&["udp://127.0.0.1:0", "udp://[::1]:0", "unixgram:@soquete-PID-async"]) {
        let board = AsyncDatagram::try_from(Datagram::bind(&place, &options).unwrap()).unwrap();
        let button = AsyncDatagram::try_from(Datagram::connect(board.socket().local(), &options).unwrap()).unwrap();
        let served = async {
            let mut buf = [0; 64];
            // More than the queue of a Unix socket holds.
            for _ in 0..50 {
                let arrival = board.receive_from(&mut buf).await.unwrap();
                assert_eq!(&buf[..arrival.len_bytes], b"LED ON");
                board.send_to(b"OK", &arrival.from).await.unwrap();
            }
        };
        let asked = async {
            for _ in 0..50 {
                button.send(b"LED ON").await.unwrap();
                assert_eq!(button.receive_from(&mut [0; 8]).await.unwrap().len_bytes, 2);
            }
        };
        tokio::join!(served, asked);
        let board = Datagram::from(board);
        assert!(board.receive(&mut [0; 8]).is_err(), "it does not block");
    }
}

#[tokio::test]
async fn who_sends_to_a_socket_that_others_have_filled_goes_on_once_it_has_room() {
    let options = DatagramOptions::default();
    let [board, button] = ["board", "button"].map(|name| {
        let place = format!("unixgram:@soquete-{}-async-full-{name}", std::process::id()).parse().unwrap();
        AsyncDatagram::try_from(Datagram::bind(&place, &options).unwrap()).unwrap()
    });
    let other = Datagram::connect(board.socket().local(), &options).unwrap();
    other.set_nonblocking(true).unwrap();
    let filled = (0..10_000).take_while(|_| other.send(b"LED OFF").is_ok()).count();
    let to = Address::of(board.socket().local()).unwrap();
    let mut sent = tokio::spawn(async move { button.send_to(b"LED ON", &to).await });
    let processor_time = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = processor_time();
    let early = tokio::time::timeout(Duration::from_millis(200), &mut sent).await;
    assert!(early.is_err(), "there is no room: {early:?}");
    let spent = processor_time() - before;
    assert!(spent < Duration::from_millis(50), "{spent:?} of 200 ms: it goes round in circles");
    let mut buf = [0; 8];
    for _ in 0..filled {
        board.receive_from(&mut buf).await.unwrap();
    }
    tokio::time::timeout(PATIENCE, sent).await.expect("there is room").unwrap().unwrap();
    assert_eq!(board.receive_from(&mut buf).await.unwrap().len_bytes, 6);
}
