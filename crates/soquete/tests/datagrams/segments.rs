//! Many datagrams a system call.

use std::io::ErrorKind;

use soquete::Segments;

use crate::network::in_a_network_of_its_own;
use crate::place::Place;

/// 150 datagrams, each of its own number, and a shorter one.
fn numbered(len_bytes: usize) -> Vec<u8> {
    let mut octets: Vec<u8> = (0..150u8).flat_map(|number| std::iter::repeat_n(number, len_bytes)).collect();
    octets.extend([150; 7]);
    octets
}

#[test]
fn what_is_sent_in_segments_is_received_in_segments_and_kept_apart() {
    for place in [Place::udp_v4(), Place::udp_v6()] {
        let (mut board, button) = place.pair();
        board.join_segments();
        let octets = numbered(100);
        assert_eq!(button.send_segments(&octets, 100).unwrap(), octets.len());
        let (mut received, mut calls, mut buf) = (Vec::new(), 0, vec![0; 65_535]);
        while received.len() < 151 {
            let segments = board.receive_segments(&mut buf).unwrap();
            assert_eq!(segments.from.endpoint().as_ref(), Some(button.local()));
            received.extend(segments.each(&buf).map(|datagram| (datagram[0], datagram.len())));
            calls += 1;
        }
        // The loopback keeps what was cut together.
        assert!(calls < 151, "{calls}");
        received.sort_unstable();
        let sent = (0..=150).map(|number| (number, if number == 150 { 7 } else { 100 }));
        assert!(received.into_iter().eq(sent));
    }
}

#[test]
fn an_answer_in_segments_goes_to_its_address_over_every_kind() {
    for place in [Place::udp_v4(), Place::udp_v6(), Place::multicast(), Place::unixgram_path()] {
        let (board, button) = place.pair();
        button.send(b"LED").unwrap();
        let Segments { len_bytes, segment_len_bytes, from } = board.receive_segments(&mut [0; 64]).unwrap();
        assert_eq!((len_bytes, segment_len_bytes), (3, 3));
        // Fewer than the queue of a Unix socket holds.
        assert_eq!(board.send_segments_to(b"LED ON!", 3, &from).unwrap(), 7);
        let mut buf = [0; 64];
        let lens = [(); 3].map(|()| button.receive(&mut buf).unwrap());
        assert_eq!(lens, [3, 3, 1]);
    }
}

#[test]
fn segments_longer_than_a_packet_of_the_network_are_sent_one_by_one() {
    let test = "segments::segments_longer_than_a_packet_of_the_network_are_sent_one_by_one";
    in_a_network_of_its_own(test, "ip link set lo mtu 1500", || {
        for place in [Place::udp_v4(), Place::udp_v6()] {
            let (board, button) = place.pair();
            assert_eq!(button.send_segments(&[7; 9000], 2000).unwrap(), 9000);
            let mut buf = [0; 2000];
            let lens = [(); 5].map(|()| board.receive(&mut buf).unwrap());
            assert_eq!(lens, [2000, 2000, 2000, 2000, 1000]);
        }
    });
}

#[test]
fn the_longest_segments_are_datagrams_of_their_own() {
    let (board, button) = Place::udp_v4().pair();
    let octets = vec![1; 2 * soquete::DATAGRAM_MAX_BYTES];
    assert_eq!(button.send_segments(&octets, soquete::DATAGRAM_MAX_BYTES).unwrap(), octets.len());
    let mut buf = vec![0; soquete::DATAGRAM_MAX_BYTES];
    assert_eq!([(); 2].map(|()| board.receive(&mut buf).unwrap()), [soquete::DATAGRAM_MAX_BYTES; 2]);
    let too_long = soquete::DATAGRAM_MAX_BYTES + 1;
    assert_eq!(button.send_segments(&octets, too_long).unwrap_err().raw_os_error(), Some(90), "EMSGSIZE");
}

#[test]
fn a_socket_without_room_says_how_much_went() {
    let (board, button) = Place::unixgram_abstract().pair();
    button.set_nonblocking(true).unwrap();
    let octets = numbered(100);
    let sent = button.send_segments(&octets, 100).unwrap();
    assert!(sent > 0 && sent < octets.len() && sent % 100 == 0);
    assert_eq!(button.send_segments(&octets[sent..], 100).unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut buf = [0; 100];
    (0..sent / 100).for_each(|_| assert_eq!(board.receive(&mut buf).unwrap(), 100));
}

#[test]
fn a_socket_that_joins_refuses_to_take_several_for_one() {
    let (mut board, button) = Place::udp_v4().pair();
    board.join_segments();
    let refused = board.receive(&mut [0; 8]).unwrap_err();
    assert_eq!(refused.to_string(), "use receive_segments: datagrams may come joined");
    assert!(board.receive_from(&mut [0; 8]).is_err() && board.peek_from(&mut [0; 8]).is_err());
    button.send(b"").unwrap();
    let mut buf = [0; 8];
    let segments = board.receive_segments(&mut buf).unwrap();
    assert_eq!(segments.each(&buf).count(), 1);
    button.send(b"LED ON").unwrap();
    let cut = board.receive_segments(&mut buf[..3]).unwrap_err();
    assert_eq!(cut.raw_os_error(), Some(90), "EMSGSIZE");
    assert_eq!(button.send_segments(b"LED ON", 0).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(button.send_segments(b"", 5).unwrap(), 0);
    // Inherited, it still does.
    let board = soquete::Datagram::from_fd(board.into()).unwrap();
    assert!(board.receive(&mut buf).is_err());
}
