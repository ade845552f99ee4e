//! Messages that overtake those which a slow server has not taken.

use super::gate::{Gate, around, message, numbers};
use soquete::{AsyncClient, ClientFraming, ClientOptions};

/// Messages of 64 KiB: 25 MiB, several times what the kernel and the client hold together.
const COUNT: u64 = 400;
const LEN_BYTES: usize = 64 << 10;

/// Returns how many messages came before what is urgent.
async fn overtakes(endpoint: &str) -> usize {
    let gate = Gate::at(endpoint);
    let options = ClientOptions { unsent_max_bytes: Some(16 << 10), ..ClientOptions::frames("") };
    let client = AsyncClient::connect(&gate.endpoint, options).await.unwrap();
    client.request(b"hello").await.unwrap();
    client.message(b"WAIT").await.unwrap();
    for number in 0..COUNT {
        client.message(&message(number, LEN_BYTES)).await.unwrap();
    }
    for number in COUNT..COUNT + 3 {
        client.urgent(&message(number, 1_000)).await.unwrap();
    }
    gate.open();
    let all = usize::try_from(COUNT).unwrap() + 3;
    let came = tokio::task::spawn_blocking(move || gate.came(all)).await.unwrap();
    assert_eq!(numbers(&came, true), (COUNT..COUNT + 3).collect::<Vec<_>>());
    assert_eq!(numbers(&came, false), (0..COUNT).collect::<Vec<_>>(), "whole, and in order");
    let (before, after) = around(&came);
    assert!(after > 0, "{before} before, {after} after");
    client.close().await;
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_urgent_overtakes_over_tcp_and_the_kernel_holds_little() {
    let before = overtakes("tcp://127.0.0.1:0").await;
    // A mebibyte: what the server had read, what its kernel takes, the bound, and a piece.
    assert!(before <= 16, "{before} messages of 64 KiB came first");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_urgent_overtakes_over_unix() {
    overtakes(&format!("unix:@soquete-overtakes-{}", std::process::id())).await;
}

#[tokio::test]
async fn what_is_urgent_overtakes_over_mem_in_one_thread() {
    overtakes("mem:overtakes").await;
}

/// Sends a message and an urgent one before anything else was said, to a client that `knows` them or not.
async fn first_words(name: &str, knows: bool) -> Vec<(u64, bool)> {
    let gate = Gate::at(name);
    let mut options = ClientOptions::frames("");
    if let ClientFraming::Frames(core) = &mut options.framing {
        core.urgent = knows;
    }
    let client = AsyncClient::connect(&gate.endpoint, options).await.unwrap();
    client.message(&message(0, 8)).await.unwrap();
    client.urgent(&message(1, 8)).await.unwrap();
    let came = tokio::task::spawn_blocking(move || gate.came(2)).await.unwrap();
    client.close().await;
    came
}

#[tokio::test]
async fn what_is_urgent_waits_for_the_handshake() {
    assert_eq!(first_words("mem:urgent-first", true).await, [(0, false), (1, true)]);
}

#[tokio::test]
async fn what_is_urgent_to_one_that_does_not_know_it_goes_in_its_turn() {
    assert_eq!(first_words("mem:urgent-unknown", false).await, [(0, false), (1, false)]);
}

#[tokio::test]
async fn a_client_that_is_closed_sends_what_is_urgent_before_it_goes() {
    let gate = Gate::at("mem:urgent-closed");
    let client = AsyncClient::connect(&gate.endpoint, ClientOptions::frames("")).await.unwrap();
    client.urgent(&message(7, 8)).await.unwrap();
    let other = client.clone();
    client.close().await;
    assert!(other.urgent(b"late").await.is_err());
    assert_eq!(tokio::task::spawn_blocking(move || gate.came(1)).await.unwrap(), [(7, true)]);
}
