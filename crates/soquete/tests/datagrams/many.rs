//! Many datagrams a system call, through the client and the loop.

use std::sync::Arc;

use soquete::{Bounds, Client, ClientOptions, Datagram, DatagramOptions, Exchange, Framing, Hub, Limits};
use soquete_proto::server::Options;

use crate::hub::{self, ALL, Counting, Log, Served, serve_by};
use crate::place::{Place, connect};

const RAW: Framing = Framing::Raw(Bounds { receive_max_bytes: 200, send_max_bytes: 200 });

/// Lengths that change, so that what is gathered changes too; some 300 in all, which any buffer holds.
const LENS: [(u8, usize); 8] = [(100, 7), (1, 200), (1, 7), (2, 8), (64, 3), (65, 3), (1, 1), (60, 100)];

/// Messages of those lengths, each with its number.
fn messages() -> Vec<Vec<u8>> {
    let lens = LENS.into_iter().flat_map(|(n, len)| std::iter::repeat_n(len, n.into()));
    (0u16..).zip(lens).map(|(number, len)| number.to_le_bytes().repeat(len)[..len].to_vec()).collect()
}

/// Receives raw datagrams, notes them and answers them; QUIT ends the visit.
fn serve(endpoint: &str) -> Served {
    let log = Arc::new(Log::default());
    let noted = log.clone();
    let handler = move |mut exchange: Exchange<'_>| {
        let payload = exchange.payload;
        if payload == b"QUIT" {
            exchange.close_after();
        }
        let shown = format!("{payload:?}");
        exchange.reply(payload).unwrap();
        noted.with(|seen| seen.commands.push(shown));
    };
    serve_by(endpoint, RAW, Limits::default(), Options::new("board"), (log, handler))
}

#[test]
fn a_batch_of_messages_reaches_a_loop_and_is_answered_in_order() {
    for endpoint in ["udp://127.0.0.1:0", "udp://[::1]:0"] {
        let served = serve(endpoint);
        let options = ClientOptions { timeout: Some(hub::PATIENCE), ..ClientOptions::raw(200) };
        let mut client = Client::connect(&served.endpoint, options).unwrap();
        let messages = messages();
        client.batch(|batch| messages.iter().try_for_each(|message| batch.message(message))).unwrap();
        let shown: Vec<String> = messages.iter().map(|message| format!("{message:?}")).collect();
        assert_eq!(served.log.wait(|seen| (seen.commands.len() >= shown.len()).then(|| seen.commands.clone())), shown);
        for message in &messages {
            assert_eq!(client.receive().unwrap(), soquete::Received::Message { payload: message });
        }
    }
}

#[test]
fn each_message_of_a_batch_is_a_datagram_of_its_own_over_every_kind() {
    for place in [Place::udp_v4(), Place::udp_v6(), Place::unixgram_path()] {
        let board = place.bind();
        let sent = messages();
        let expected = sent.clone();
        let mut button = Client::connect(board.local(), ClientOptions::raw(1)).unwrap();
        let mut lines = Client::connect(board.local(), ClientOptions::line(1)).unwrap();
        std::thread::scope(|scope| {
            // A queue of Unix datagrams is short: the sender waits for this.
            let board = &board;
            let received = scope.spawn(move || {
                let mut buf = [0; 256];
                let mut receive = || board.receive(&mut buf).map(|len| buf[..len].to_vec()).unwrap();
                expected.iter().for_each(|message| assert_eq!(receive(), *message));
                [receive(), receive(), receive()]
            });
            button.batch(|batch| sent.iter().try_for_each(|message| batch.message(message))).unwrap();
            lines.batch(|batch| [b"ON", b"NO"].iter().try_for_each(|line| batch.message(*line))).unwrap();
            lines.message(b"OFF").unwrap();
            assert_eq!(received.join().unwrap(), [b"ON\n".to_vec(), b"NO\n".to_vec(), b"OFF\n".to_vec()]);
        });
    }
}

#[test]
fn what_is_gathered_goes_before_what_is_submitted_even_if_the_batch_failed() {
    let (board, _) = Place::udp_v4().pair();
    let mut button = Client::connect(board.local(), ClientOptions::raw(1)).unwrap();
    let failed = button.batch(|batch| {
        batch.message(b"LED ON")?;
        batch.urgent_on(0, b"LED").map(drop)
    });
    assert!(failed.is_err(), "raw messages are not urgent");
    button.submit(b"LED NO").unwrap();
    let mut buf = [0; 64];
    assert_eq!((board.receive(&mut buf).unwrap(), &buf[..6]), (6, &b"LED ON"[..]));
    assert_eq!((board.receive(&mut buf).unwrap(), &buf[..6]), (6, &b"LED NO"[..]));
}

#[test]
fn a_datagram_among_many_that_is_too_long_or_ends_the_visit_concerns_no_other() {
    let served = serve("udp://127.0.0.1:0");
    let button = connect(&served.endpoint);
    // The last one alone is short enough.
    assert_eq!(button.send_segments(&[b'x'; 3 * 201 + 2], 201).unwrap(), 3 * 201 + 2);
    assert_eq!(button.send_segments(b"QUITQUITLEDS", 4).unwrap(), 12);
    let seen = served.log.wait(|seen| (seen.commands.len() == 4).then(|| seen.commands.clone()));
    let shown = [&b"xx"[..], b"QUIT", b"QUIT", b"LEDS"].map(|payload| format!("{payload:?}"));
    assert_eq!(seen, shown);
    let mut buf = [0; 8];
    assert_eq!([(); 4].map(|()| button.receive(&mut buf).unwrap()), [2, 4, 4, 4]);
}

#[test]
fn answers_to_many_go_by_the_address_that_was_asked() {
    let served = serve("udp://0.0.0.0:0");
    let port = served.endpoint.socket_addr().unwrap().port();
    let button = connect(&format!("udp://127.0.0.2:{port}").parse().unwrap());
    assert_eq!(button.send_segments(b"LED ON", 3).unwrap(), 6);
    // It hears only whom it asked.
    let mut buf = [0; 8];
    assert_eq!([(); 2].map(|()| button.receive(&mut buf).unwrap()), [3, 3]);
}

#[test]
fn a_socket_that_joined_serves_text_and_sessions_one_by_one() {
    let mut socket = Datagram::bind(&"udp://127.0.0.1:0".parse().unwrap(), &DatagramOptions::default()).unwrap();
    socket.join_segments();
    let mut hub = Hub::new(Limits::default()).unwrap();
    let service = hub.add_service(ALL, Options::new("board"));
    let endpoint = hub.take_datagram(service, socket).unwrap();
    let mut handler = Counting(Arc::new(Log::default()));
    let button = connect(&endpoint);
    assert_eq!(button.send_segments(b"LED ON\nLED NO\n", 7).unwrap(), 14);
    hub.turn(Some(hub::PATIENCE), &mut handler).unwrap();
    let mut buf = [0; 64];
    let len = button.receive(&mut buf).unwrap();
    assert_eq!(&buf[..len], b"OK LED ON\n");
}
