//! Connecting without blocking a thread of the runtime.

use super::wire::Wire;
use crate::entropy::random_u64;
use crate::{Backoff, Cause, Endpoint, Error, Operation, Stream};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// How long to wait for a full queue of a listener, at most, before it is tried again.
const FULL_WAIT_MAX: Duration = Duration::from_millis(50);

/// Where a client connects to, and how.
#[derive(Clone)]
pub(super) struct Dialling {
    pub(super) endpoint: Endpoint,
    pub(super) connect_timeout: Duration,
    pub(super) unsent_max_bytes: Option<u32>,
}

impl Dialling {
    /// Connects once.
    pub(super) async fn dial(&self) -> Result<Wire, Error> {
        let wire = dial(&self.endpoint, self.connect_timeout).await?;
        let bounded = self.unsent_max_bytes.map_or(Ok(()), |max_bytes| wire.set_unsent_max(max_bytes));
        bounded.map_err(Operation::Connect.failed(&self.endpoint))?;
        Ok(wire)
    }
}

/// Connects within `limit`. A name is looked up in a helper thread; its addresses share the time evenly.
pub(super) async fn dial(endpoint: &Endpoint, limit: Duration) -> Result<Wire, Error> {
    let dialled = async {
        match endpoint {
            Endpoint::Tcp { .. } => dial_tcp(endpoint, limit).await,
            _ => dial_local(endpoint).await,
        }
    };
    match timeout(limit, dialled).await {
        Ok(dialled) => dialled,
        Err(_) => Err(Error::new(Operation::Connect, endpoint, Cause::Timeout)),
    }
}

/// Connects to a Unix socket or a `mem:` name: at once, unless the listener's queue is full.
async fn dial_local(endpoint: &Endpoint) -> Result<Wire, Error> {
    let mut backoff = Backoff::new(Duration::from_millis(1), FULL_WAIT_MAX);
    loop {
        match Stream::connect_start(endpoint) {
            Ok(stream) => return Wire::new(stream).map_err(Operation::Connect.failed(endpoint)),
            Err(error) if matches!(error.cause(), Cause::Busy(_)) => sleep(backoff.next(random_u64())).await,
            Err(error) => return Err(error),
        }
    }
}

async fn dial_tcp(endpoint: &Endpoint, limit: Duration) -> Result<Wire, Error> {
    let addresses = addresses(endpoint).await?;
    let mut failed = Error::new(Operation::Connect, endpoint, Cause::Timeout);
    let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    for address in addresses {
        match timeout(share, dial_address(endpoint, address)).await {
            Ok(Ok(wire)) => return Ok(wire),
            Ok(Err(error)) => failed = error,
            Err(_) => {}
        }
    }
    Err(failed)
}

async fn dial_address(endpoint: &Endpoint, address: SocketAddr) -> Result<Wire, Error> {
    // The kernel may refuse at once: the error then names the address.
    let stream = Stream::connect_start(&address.into())?;
    let made = async {
        let wire = Wire::new(stream)?;
        wire.writable().await?;
        let stream = wire.into_stream()?;
        stream.finish_connect()?;
        Wire::new(stream)
    };
    made.await.map_err(|error: io::Error| Error::new(Operation::Connect, endpoint, error))
}

async fn addresses(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Error> {
    let (tell, told) = oneshot::channel();
    match (endpoint.socket_addr(), endpoint) {
        (Some(address), _) => return Ok(vec![address]),
        (None, Endpoint::Tcp { host, port }) => {
            // Nobody listens any more when the time was over first.
            crate::resolve_then(host.clone(), *port, move |answer| drop(tell.send(answer)))?;
        }
        (None, _) => {}
    }
    told.await.map_err(|_| Error::new(Operation::Resolve, endpoint, Cause::Closed))?
}
