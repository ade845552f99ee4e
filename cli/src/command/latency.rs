//! How long something took, as rows of a table.

use soquete_node::status::LatencyStatus;

use super::moment::Took;

/// The head of a table of latencies.
pub(crate) const LATENCY_HEAD: [&str; 6] = ["FROM", "UNTIL", "COUNT", "P50", "P99", "MAX"];

/// Makes the row of what took from one thing until another.
pub(crate) fn latency_row([from, until]: [&str; 2], latency: &LatencyStatus) -> [String; 6] {
    let LatencyStatus { count, p50_us, p99_us, max_us } = *latency;
    let [p50, p99, max] = [p50_us, p99_us, max_us].map(|us| Took(us).to_string());
    [from.to_owned(), until.to_owned(), count.to_string(), p50, p99, max]
}
