//! What a reviewer found in the server, the clients and the loop.

#![allow(clippy::unwrap_used)]
#[path = "kit/hub.rs"]
mod kit;
use kit::*;
use soquete::*;
use soquete_proto::handshake::{SessionKey, VERSION};
use soquete_proto::server::Options;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_client_that_misbehaves_leaves_no_session_in_use() {
    let options = Options { sessions_max: 4, ..Options::new("board") };
    let served = serve_with("tcp://127.0.0.1:0", ALL, Limits::default(), options);
    for _ in 0..5 {
        let mut stream = served.connect();
        stream.write_all(&hello(VERSION, 1 << 20, Some(SessionKey::default()))).unwrap();
        let mut frames = Frames::default();
        assert!(frames.show(&mut stream).contains("Welcome"));
        stream.write_all(&[0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        read_to_end(&mut stream);
    }
    served.log.endings(5);
    let mut client = Client::connect(&served.endpoint, ClientOptions::frames("board")).unwrap();
    assert_eq!(client.call(b"LED TOGGLE", SOON).unwrap(), Outcome::Done(b"OK LED TOGGLE".to_vec()));
}

#[test]
fn what_was_sent_before_a_timeout_is_not_sent_again() {
    let listener = Listener::bind(&"tcp://127.0.0.1:0".parse().unwrap(), &ListenOptions::default()).unwrap();
    let options = ClientOptions { timeout: Some(Duration::from_millis(200)), ..ClientOptions::line(1024) };
    let mut client = Client::connect(listener.local(), options).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    let error = client
        .batch(|batch| {
            for nth in 0..10_000_000u32 {
                batch.message(format!("LINE {nth:08}").as_bytes())?;
            }
            Ok(())
        })
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        far.set_receive_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut chunk = vec![0; 1 << 16];
        while let Ok(len) = far.read(&mut chunk) {
            if len == 0 {
                break;
            }
            all.extend_from_slice(&chunk[..len]);
        }
        all
    });
    let _ = client.receive();
    let _ = client.finish();
    drop(client);
    let all = String::from_utf8(reading.join().unwrap()).unwrap();
    for (nth, line) in all.lines().enumerate() {
        assert_eq!(line, format!("LINE {nth:08}"), "line {nth} of {}", all.lines().count());
    }
}

#[test]
fn a_request_that_failed_is_not_sent_later() {
    let place: Endpoint = "mem:review-late".parse().unwrap();
    let served = serve_with("mem:review-late", ALL, Limits::default(), Options::new("board"));
    let mut client = Client::connect(&place, ClientOptions::frames("board")).unwrap();
    client.handshake().unwrap();
    served.stop();
    let outcome = client.call(b"LED TOGGLE", Duration::from_millis(200)).unwrap();
    assert!(matches!(outcome, Outcome::NotDone(_)), "{outcome:?}");
    let error = client.request(b"LED ON").unwrap_err();
    println!("told: {error}");
    let served = serve_with("mem:review-late", ALL, Limits::default(), Options::new("board"));
    let outcome = client.call(b"LED OFF", SOON).unwrap();
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert_eq!(served.log.commands(), ["LED OFF"]);
}

#[test]
fn the_hubs_descriptor_tells_of_an_answer_from_another_thread() {
    let mut hub = Hub::new(Limits::default()).unwrap();
    let service = hub.add_service(ALL, Options::new("board"));
    let endpoint = hub.listen(service, &"mem:review-fd".parse().unwrap(), &ListenOptions::default()).unwrap();
    let mut stream = Stream::connect(&endpoint).unwrap();
    stream.write_all(b"LATER\n").unwrap();
    let mut kept = None;
    while kept.is_none() {
        hub.turn(Some(Duration::ZERO), &mut |exchange: Exchange<'_>| kept = Some(exchange.later())).unwrap();
    }
    std::thread::spawn(move || kept.unwrap().reply(b"done")).join().unwrap();
    let mut fds = [rustix::event::PollFd::from_borrowed_fd(hub.as_fd(), rustix::event::PollFlags::IN)];
    let wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
    assert_eq!(rustix::event::poll(&mut fds, Some(&wait)).unwrap(), 1, "nobody tells the other loop");
}

#[test]
fn a_stopped_server_does_not_spin() {
    let server = Server::bind(&"mem:review-stop".parse().unwrap(), Framing::Frames).unwrap();
    let (endpoint, stopper) = (server.endpoint().clone(), server.stopper());
    let (tell, told) = mpsc::channel();
    let (hold, held) = mpsc::channel();
    let running = std::thread::spawn(move || {
        tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        server.run(move |exchange: Exchange<'_>| hold.send(exchange.later()).unwrap())
    });
    let thread = told.recv().unwrap();
    let mut client = Client::connect(&endpoint, ClientOptions::frames("")).unwrap();
    client.submit(b"x").unwrap();
    let waiting = std::thread::spawn(move || {
        let _ = client.receive();
    });
    let _responder = held.recv().unwrap();
    let stat = std::fs::File::open(format!("/proc/self/task/{thread}/schedstat")).unwrap();
    let before = cpu_of(&stat);
    stopper.stop();
    // sleep is the thing under test: time goes by
    std::thread::sleep(Duration::from_secs(1));
    let spent = cpu_of(&stat) - before;
    drop(running);
    drop(waiting);
    assert!(spent < Duration::from_millis(100), "spun for {spent:?} of 1 s");
}

fn shot_at(answer: &'static [u8], closes: bool) -> (Outcome, Duration) {
    let listener = Listener::bind(&"tcp://127.0.0.1:0".parse().unwrap(), &ListenOptions::default()).unwrap();
    let mut hub = Hub::new(Limits::default()).unwrap();
    let begin = Clock::now();
    let mut shot = Shot::new(listener.local().clone(), "LED ON", begin + Duration::from_secs(2));
    std::thread::spawn(move || {
        let (mut far, _) = listener.accept().unwrap();
        let mut octets = [0; 100];
        let _ = far.read(&mut octets).unwrap();
        far.write_all(answer).unwrap();
        if !closes {
            // sleep is the thing under test: the connection stays open
            std::thread::sleep(Duration::from_secs(4));
        }
    });
    let mut handler = |_: Exchange<'_>| {};
    loop {
        if let Some(outcome) = shot.drive(&mut hub, Clock::now()) {
            return (outcome, Clock::now() - begin);
        }
        let left = shot.timeout().saturating_sub(Clock::now());
        hub.turn(Some(left), &mut handler).unwrap();
        while hub.next_ready().is_some() {}
    }
}

#[test]
fn an_answer_behind_a_blank_line_counts() {
    let (outcome, took) = shot_at(b"\r\nERR there is no line LED\r\n", true);
    assert!(matches!(outcome, Outcome::NotDone(_)), "{outcome:?} after {took:?}");
}
#[test]
fn an_answer_behind_a_blank_line_counts_without_an_end() {
    let (outcome, took) = shot_at(b"\r\nOK LED ON\r\n", false);
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?} after {took:?}");
}
#[test]
fn blank_lines_without_end_cost_bounded_memory() {
    alone("blank_lines_without_end_cost_bounded_memory", || {
        let listener = Listener::bind(&"tcp://127.0.0.1:0".parse().unwrap(), &ListenOptions::default()).unwrap();
        let mut hub = Hub::new(Limits::default()).unwrap();
        let begin = Clock::now();
        let mut shot = Shot::new(listener.local().clone(), "LED ON", begin + Duration::from_secs(2));
        std::thread::spawn(move || {
            let (mut far, _) = listener.accept().unwrap();
            let many = vec![b'\n'; 1 << 20];
            while far.write_all(&many).is_ok() {}
        });
        let before = peak_bytes();
        let outcome = loop {
            if let Some(outcome) = shot.drive(&mut hub, Clock::now()) {
                break outcome;
            }
            let left = shot.timeout().saturating_sub(Clock::now());
            hub.turn(Some(left), &mut |_: Exchange<'_>| {}).unwrap();
            while hub.next_ready().is_some() {}
        };
        let grown = peak_bytes() - before;
        assert!(grown < 16 << 20, "{} MiB for {outcome:?}", grown >> 20);
    });
}

/// Accepts a client and welcomes it; what comes then is its caller's matter.
fn welcome(listener: &Listener) -> Stream {
    use soquete_proto::server::{Link, Server as Core};
    let (mut far, _) = listener.accept().unwrap();
    let mut core = Core::new(Options::new("board"), Clock::now(), || 7);
    let mut link = Link::new(1, Clock::now());
    let (mut kept, mut out, mut chunk) = (Vec::new(), Vec::new(), [0; 4096]);
    while !link.is_open() {
        let len = far.read(&mut chunk).unwrap();
        kept.extend_from_slice(&chunk[..len]);
        let mut rest = &kept[..];
        let _ = core.next(Clock::now(), &mut link, &mut rest, &mut out).unwrap();
        let left = rest.to_vec();
        kept = left;
    }
    far.write_all(&out).unwrap();
    far
}

#[test]
fn a_call_returns_in_time_although_the_server_stops_reading() {
    let listener = Listener::bind(&"unix:@review-stall".parse().unwrap(), &ListenOptions::default()).unwrap();
    let endpoint = listener.local().clone();
    let (done, is_done) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        let _far = welcome(&listener);
        // It reads nothing more.
        let _ = is_done.recv();
    });
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut client = Client::connect(&endpoint, ClientOptions::frames("board")).unwrap();
        tell.send(client.call(&vec![b'x'; 1 << 20], Duration::from_millis(300))).unwrap();
    });
    let outcome = told.recv_timeout(Duration::from_secs(5));
    drop(done);
    println!("{outcome:?}");
    assert!(outcome.is_ok(), "the call never returned");
}

#[test]
fn a_turn_comes_back_after_what_an_answer_set_free() {
    let mut hub = Hub::new(Limits::default()).unwrap();
    let service = hub.add_service(ALL, Options::new("board"));
    let endpoint = hub.listen(service, &"mem:review-free".parse().unwrap(), &ListenOptions::default()).unwrap();
    let mut stream = Stream::connect(&endpoint).unwrap();
    stream.write_all(b"LATER\nPRESS\n").unwrap();
    let seen = Arc::new(Mutex::new((None, false)));
    let told = seen.clone();
    let mut handler = move |exchange: Exchange<'_>| {
        let mut seen = told.lock().unwrap();
        if exchange.payload == b"LATER" {
            seen.0 = Some(exchange.later());
        } else {
            seen.1 = true;
            let _ = exchange.reply(b"OK");
        }
    };
    while seen.lock().unwrap().0.is_none() {
        hub.turn(Some(Duration::from_millis(5)), &mut handler).unwrap();
    }
    let responder = seen.lock().unwrap().0.take().unwrap();
    responder.reply(b"OK");
    let begin = Instant::now();
    hub.turn(Some(Duration::from_secs(3)), &mut handler).unwrap();
    assert!(seen.lock().unwrap().1, "PRESS was received in this turn");
    assert!(begin.elapsed() < Duration::from_secs(1), "and its user hears of it {:?} later", begin.elapsed());
}

#[test]
fn an_event_of_a_long_payload_goes_out_where_nothing_waits() {
    let mut hub = Hub::new(Limits::default()).unwrap();
    let service = hub.add_service(ALL, Options::new("board"));
    let endpoint = hub.listen(service, &"mem:review-event".parse().unwrap(), &ListenOptions::default()).unwrap();
    let mut stream = Stream::connect(&endpoint).unwrap();
    let mut out = greeting();
    out.extend(plain(1, b"WATCH"));
    stream.write_all(&out).unwrap();
    let mut to = None;
    while to.is_none() {
        hub.turn(Some(Duration::from_millis(5)), &mut |exchange: Exchange<'_>| {
            to = Some(exchange.connection());
            let _ = exchange.reply(b"OK");
        })
        .unwrap();
    }
    let pushed = hub.push(
        to.unwrap(),
        1,
        EventHead { seq: 1, missed: 0, lag: None },
        &vec![0; 100 << 10],
        &mut |_: Exchange<'_>| {},
    );
    assert_eq!(pushed, Pushed::Queued);
}

#[test]
fn a_long_timeout_is_for_ever_and_no_error() {
    let mut hub = Hub::new(Limits::default()).unwrap();
    hub.stopper().wake();
    hub.turn(Some(Duration::from_secs(30 * 24 * 3600)), &mut |_: Exchange<'_>| {}).unwrap();
}

#[path = "kit/proxy.rs"]
mod proxy;
#[test]
fn a_submitted_request_ends_although_a_call_came_between() {
    use proxy::{Cut, Proxy};
    let served = serve();
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1)]);
    let options = ClientOptions { timeout: Some(Duration::from_secs(2)), ..ClientOptions::frames("board") };
    let mut client = Client::connect(&proxy.endpoint, options).unwrap();
    let id = client.submit(b"LED ON").unwrap();
    let outcome = client.call(b"LED TOGGLE", SOON).unwrap();
    println!("{outcome:?}");
    match client.receive() {
        Ok(Received::Failed { id: of, .. } | Received::Reply { id: of, .. }) => assert_eq!(of, id),
        other => panic!("the submitted request never ends: {other:?}"),
    }
}

#[test]
fn a_server_that_sends_without_end_does_not_hold_the_loop() {
    use soquete_proto::client::{Options, Request};
    let listener = Listener::bind(&"unix:@review-flood".parse().unwrap(), &ListenOptions::default()).unwrap();
    let endpoint = listener.local().clone();
    std::thread::spawn(move || {
        let mut far = welcome(&listener);
        let mut flood = Vec::new();
        for _ in 0..4096 {
            soquete_proto::frame::put(
                &mut flood,
                soquete_proto::frame::header(soquete_proto::frame::Kind::Message, 0),
                &[b"x"],
                1 << 20,
            )
            .unwrap();
        }
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(4) {
            if far.write_all(&flood).is_err() {
                return;
            }
        }
    });
    let mut hub = Hub::new(Limits::default()).unwrap();
    let mut outbound = Outbound::new(endpoint, Options { resume: true, ..Options::new("board") });
    let now = Clock::now();
    outbound
        .request(now, Request { once: true, deadline: Some(now + Duration::from_secs(1)), ..Request::new(b"LED ON") })
        .unwrap();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(2) {
        let one = Instant::now();
        outbound.drive(&mut hub, Clock::now());
        assert!(one.elapsed() < Duration::from_millis(500), "one call of drive took {:?}", one.elapsed());
        hub.turn(Some(Duration::from_millis(10)), &mut |_: Exchange<'_>| {}).unwrap();
        while hub.next_ready().is_some() {}
    }
}

#[test]
fn all_together_are_not_kept_more_for_than_the_loop_may_hold() {
    let limits = Limits { waiting_max_bytes: 1 << 20, ..Limits::default() };
    let served = serve_with("tcp://127.0.0.1:0", ALL, limits, Options::new("board"));
    let mut greedy: Vec<Stream> = (0..40).map(|_| served.connect()).collect();
    for stream in &mut greedy {
        // What the server cannot send it keeps, and reads no more.
        stream.set_nonblocking(true).unwrap();
        let _ = stream.write(&b"BIG 200000\n".repeat(100));
    }
    let endings = served.log.endings(1);
    let is_too_much =
        |ending: &Ending| matches!(ending, Ending::Refused(why) if why.contains("together hold too much"));
    assert!(endings.iter().all(is_too_much), "{endings:?}");
    served.assert_serves();
}

/// signal(7): where a socket has a timeout, a stop and its end interrupt what waits, without any handler.
#[test]
fn a_process_that_was_held_goes_on_reading() {
    alone("a_process_that_was_held_goes_on_reading", || {
        let (mut near, mut far) = Stream::pair().unwrap();
        far.set_receive_timeout(Some(PATIENCE)).unwrap();
        let (tell, told) = mpsc::channel();
        let reading = std::thread::spawn(move || {
            tell.send(rustix::thread::gettid().as_raw_nonzero()).unwrap();
            far.read(&mut [0; 64]).map(|len| (len, far))
        });
        let stat = format!("/proc/self/task/{}/stat", told.recv().unwrap());
        while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
            std::thread::yield_now();
        }
        // It comes back only when this process goes on.
        let line = format!(
            "kill -STOP {0}; until grep -q 'T (stopped)' /proc/{0}/status; do :; done; kill -CONT {0}",
            std::process::id()
        );
        assert!(std::process::Command::new("/bin/sh").args(["-c", &line]).status().unwrap().success());
        near.write_all(b"LED ON").unwrap();
        assert_eq!(reading.join().unwrap().unwrap().0, 6);
    });
}
