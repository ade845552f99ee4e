//! One command to many.

use super::kit::{ALL, PATIENCE, Served};
use super::{Near, aimed, received, serve};
use soquete::{Announcement, Cause, Client, ClientOptions, Clock, Endpoint, Exchange, Framing, Hub, Limits, Outcome};
use soquete_proto::channel::put_announcement;
use soquete_proto::opening::OPENING;
use std::time::Duration;

/// Drives an announcement to its end.
fn announce(endpoint: &Endpoint, command: &str, timeout: Duration) -> Outcome {
    let mut hub = Hub::new(Limits::default()).unwrap();
    let mut announcement = Announcement::new(endpoint.clone(), command, Clock::now() + timeout);
    loop {
        if let Some(outcome) = announcement.drive(&mut hub, Clock::now()) {
            return outcome;
        }
        let left = announcement.timeout().saturating_sub(Clock::now());
        hub.turn(Some(left), &mut |_: Exchange<'_>| {}).unwrap();
        while hub.next_ready().is_some() {}
    }
}

fn group(number: u8) -> String {
    format!("udp://239.255.83.{number}:0?interface=lo&ttl=0")
}

/// Serves a group by several hubs.
fn members(group: &str, framing: Framing) -> Vec<Served> {
    let first = serve(group, framing);
    let endpoint = first.endpoint.to_string();
    vec![first, serve(&endpoint, framing), serve(&endpoint, framing)]
}

#[test]
fn each_of_a_group_does_it_once_although_it_is_told_three_times() {
    let members = members(&group(1), ALL);
    let outcome = announce(&members[0].endpoint, "LED TOGGLE", PATIENCE);
    assert_eq!(outcome, Outcome::Done(b"OK LED TOGGLE".to_vec()));
    for member in members {
        assert_eq!(member.log.commands(), ["LED TOGGLE"]);
    }
}

#[test]
fn a_service_of_frames_gets_it_as_a_message() {
    let members = members(&group(2), Framing::Frames);
    let outcome = announce(&members[0].endpoint, "LED ON", Duration::from_millis(200));
    assert!(matches!(outcome, Outcome::Unknown(_)), "nobody answers: {outcome:?}");
    for member in members {
        assert_eq!(member.log.commands(), ["LED ON"]);
    }
}

#[test]
fn to_an_empty_room_it_is_unknown() {
    let nobody = format!("udp://239.255.83.3:{}?interface=lo&ttl=0", 9);
    let outcome = announce(&nobody.parse().unwrap(), "LED ON", Duration::from_millis(100));
    let Outcome::Unknown(why) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("239.255.83.3"), "{why}");
}

#[test]
fn a_broadcast_reaches_all_of_a_network() {
    let served = serve("udp://127.255.255.255:0?broadcast=yes", ALL);
    let outcome = announce(&served.endpoint, "LED ON", PATIENCE);
    assert_eq!(outcome, Outcome::Done(b"OK LED ON".to_vec()));
    assert_eq!(served.log.commands(), ["LED ON"]);
    // One that hears at every address hears it, too.
    let served = serve("udp://0.0.0.0:0", ALL);
    let port = served.endpoint.socket_addr().unwrap().port();
    let everyone = format!("udp://127.255.255.255:{port}?broadcast=yes").parse().unwrap();
    assert_eq!(announce(&everyone, "LED OFF", PATIENCE), Outcome::Done(b"OK LED OFF".to_vec()));
}

#[test]
fn a_group_has_no_session() {
    for many in [group(5).replace(":0", ":9"), "udp://127.255.255.255:9?broadcast=yes".to_owned()] {
        let endpoint: Endpoint = many.parse().unwrap();
        let Err(error) = Client::connect(&endpoint, ClientOptions::frames("board")) else { panic!("{many}") };
        assert_eq!(error.to_string(), format!("connect {endpoint}: a group has no session"));
        assert!(matches!(error.cause(), Cause::Misuse(_)) && error.act().unwrap().contains("Announcement"));
        // Lines have none, and reach all.
        Client::connect(&endpoint, ClientOptions::line(1 << 10)).unwrap();
    }
}

#[test]
fn one_that_is_refused_may_have_been_done_by_others() {
    let served = serve(&group(4), ALL);
    let outcome = announce(&served.endpoint, "!", Duration::from_millis(200));
    let Outcome::Unknown(why) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("ERR"), "{why}");
}

fn announcement(number: u64, packet: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_announcement(&mut out, number, packet, 0, payload).unwrap();
    out
}

#[test]
fn what_is_repeated_or_damaged_is_dropped() {
    for framing in [ALL, Framing::Frames] {
        let mut near = Near::new("udp://127.0.0.1:0", framing);
        let sender = aimed(&near.endpoint);
        let packets = [1, 3, 2, 3, 1, 2, 1];
        packets.iter().for_each(|packet| sender.send(&announcement(7, *packet, b"LED ON")).unwrap());
        near.serve();
        assert_eq!((near.log.commands().len(), near.dropped()), (3, 4), "{framing:?}");
        let whole = announcement(7, 9, b"LED ON");
        (0..whole.len()).for_each(|len| sender.send(&whole[..len]).unwrap());
        near.serve();
        assert_eq!((near.log.commands().len(), near.dropped()), (3, 4 + whole.len() as u64));
    }
}

#[test]
fn frames_in_an_announcement_open_no_session() {
    let mut near = Near::new("udp://127.0.0.1:0", ALL);
    let sender = aimed(&near.endpoint);
    let greeting = super::kit::greeting();
    assert!(greeting.starts_with(&OPENING));
    let request = super::kit::plain(1, b"LED ON");
    sender.send(&announcement(7, 1, &[&greeting[..], &request].concat())).unwrap();
    sender.send(&announcement(7, 2, b"")).unwrap();
    sender.send(&announcement(7, 3, &[0x16, 3, 1])).unwrap();
    near.serve();
    assert_eq!((near.log.commands().len(), near.dropped(), near.hub.counts().connections), (0, 3, 0));
    assert!(received(&sender).is_empty());
}
