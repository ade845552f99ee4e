//! What the three ways do alike.

use crate::kit::{connect, hello_to};
use crate::serving::{BOUNDS, Served, Way, endpoints, serve};
use soquete::{Client, ClientOptions, Endpoint, Framing, Stream};
use std::io::{Read, Write};

/// Clients that come at the same moment.
const CLIENTS: usize = 8;

/// Makes a test of each function for each way.
macro_rules! conformance {
    ($tests:tt; $($name:ident = $way:ident),+) => { $( conformance!(@ $name $way $tests); )+ };
    (@ $name:ident $way:ident { $($test:ident),+ $(,)? }) => {
        mod $name {
            $( #[test] fn $test() { super::$test(crate::serving::Way::$way); } )+
        }
    };
}

conformance! {
    {
        raw_octets_come_back,
        lines_come_back,
        requests_get_their_replies,
        clients_that_come_together_are_all_served,
        an_answer_may_come_later_from_another_thread,
        a_client_that_goes_by_reset_or_half_a_frame_harms_no_other,
        the_handler_may_end_a_connection,
        a_stop_says_goodbye_to_who_is_there,
    };
    all_at_once = AtOnce, one_after_the_other = InTurn, a_process_each = Workers
}

/// Runs `talk` against a server of one way at every kind of endpoint that has it.
fn everywhere(way: Way, framing: Framing, talk: impl Fn(&Served)) {
    for endpoint in endpoints() {
        if way != Way::Workers || !matches!(endpoint, Endpoint::Mem(_)) {
            talk(&serve(way, &endpoint, framing));
        }
    }
}

fn requests(endpoint: &Endpoint, options: ClientOptions, count: usize) {
    let mut client = Client::connect(endpoint, options).unwrap();
    for number in 0..count {
        let text = format!("message {number}");
        assert_eq!(client.request(text.as_bytes()).unwrap(), text.as_bytes(), "{endpoint}");
    }
}

/// Reads to the end; of packets, each as a whole.
fn to_end(stream: &mut Stream) -> String {
    let (mut text, mut chunk) = (Vec::new(), [0; 1024]);
    loop {
        match stream.read(&mut chunk).unwrap() {
            0 => return String::from_utf8(text).unwrap(),
            len => text.extend_from_slice(&chunk[..len]),
        }
    }
}

fn raw_octets_come_back(way: Way) {
    everywhere(way, Framing::Raw(BOUNDS), |served| requests(&served.endpoint, ClientOptions::raw(1024), 20));
}

fn lines_come_back(way: Way) {
    everywhere(way, Framing::Line(BOUNDS), |served| requests(&served.endpoint, ClientOptions::line(1024), 20));
}

fn requests_get_their_replies(way: Way) {
    everywhere(way, Framing::Frames, |served| {
        requests(&served.endpoint, ClientOptions::frames(""), 20);
        let mut client = Client::connect(&served.endpoint, ClientOptions::frames("")).unwrap();
        let long = vec![7; 300 << 10];
        assert_eq!(client.request(&long).unwrap(), long);
    });
}

fn clients_that_come_together_are_all_served(way: Way) {
    everywhere(way, Framing::Frames, |served| {
        let endpoint = &served.endpoint;
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| requests(endpoint, ClientOptions::frames(""), 20));
            }
        });
    });
}

fn an_answer_may_come_later_from_another_thread(way: Way) {
    everywhere(way, Framing::Frames, |served| {
        let mut client = Client::connect(&served.endpoint, ClientOptions::frames("")).unwrap();
        assert_eq!(client.request(b"LATER").unwrap(), b"later");
        assert_eq!(client.request(b"one").unwrap(), b"one");
    });
    everywhere(way, Framing::Line(BOUNDS), |served| {
        let mut stream = connect(&served.endpoint);
        stream.write_all(b"LATER\none\nBYE\n").unwrap();
        assert_eq!(to_end(&mut stream), "later\none\nbye\n");
    });
}

fn a_client_that_goes_by_reset_or_half_a_frame_harms_no_other(way: Way) {
    everywhere(way, Framing::Frames, |served| {
        connect(&served.endpoint).abort();
        let mut half = connect(&served.endpoint);
        let greeting = crate::kit::hello(1, 1024, None);
        half.write_all(&greeting[..7]).unwrap();
        drop(half);
        let mut unread = connect(&served.endpoint);
        unread.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        unread.abort();
        requests(&served.endpoint, ClientOptions::frames(""), 1);
    });
}

fn the_handler_may_end_a_connection(way: Way) {
    everywhere(way, Framing::Line(BOUNDS), |served| {
        let mut stream = connect(&served.endpoint);
        stream.write_all(b"one\nBYE\nthree\n").unwrap();
        assert_eq!(to_end(&mut stream), "one\nbye\n");
    });
}

fn a_stop_says_goodbye_to_who_is_there(way: Way) {
    everywhere(way, Framing::Frames, |served| {
        let mut stream = connect(&served.endpoint);
        stream.write_all(&hello_to("", 1, 1024, None)).unwrap();
        let mut frames = crate::kit::Frames::default();
        assert!(frames.show(&mut stream).contains("Welcome"));
        served.stop();
        let said = frames.show(&mut stream);
        assert!(said.contains("Goodbye") && said.contains("the server was stopped"), "{said}");
        assert_eq!(frames.show(&mut stream), "the end");
    });
}
