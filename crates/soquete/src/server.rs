//! A server: one service, one endpoint, one handler, for all clients at once or for one after the other.

use crate::hub::{Framing, Handler, Hub, Limits, Stopper};
use crate::{Cause, Endpoint, Error, ListenOptions, Operation};
use std::time::Duration;

/// How long a server lets connections end after it was stopped.
pub(crate) const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// A server of one service at one endpoint, in one thread, with the same handler in either of two ways: for any number of
/// clients at once ([`run`](Server::run)), or for one after the other ([`run_in_turn`](Server::run_in_turn)). The third
/// way, a process for each connection, is [`Workers`](crate::Workers).
///
/// Over datagrams a message has at most 65,454 octets in frames and 65,507 without, requests and answers alike.
///
/// For more endpoints, services or descriptors of one's own there is [`Hub`], on which this stands.
///
/// ```
/// use soquete::{Exchange, Framing, Server, Bounds};
///
/// let bounds = Bounds { receive_max_bytes: 1024, send_max_bytes: 1024 };
/// let mut server = Server::bind(&"mem:echo".parse()?, Framing::Line(bounds))?;
/// let stopper = server.stopper();
/// let serving = std::thread::spawn(move || {
///     server.run(|exchange: Exchange<'_>| {
///         let line = exchange.payload;
///         exchange.reply(line).unwrap();
///     })
/// });
/// let mut client = soquete::Client::connect(&"mem:echo".parse()?, soquete::ClientOptions::line(1024))?;
/// assert_eq!(client.request(b"hello")?, b"hello");
/// stopper.stop();
/// serving.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server {
    hub: Hub,
    endpoint: Endpoint,
}

impl Server {
    /// Listens at `endpoint` with the default options; what cuts the stream into messages is `framing`.
    ///
    /// # Errors
    /// As [`Listener::bind`](crate::Listener::bind).
    pub fn bind(endpoint: &Endpoint, framing: Framing) -> Result<Self, Error> {
        let options = soquete_proto::server::Options::new("");
        Server::bind_with(endpoint, framing, options, &ListenOptions::default())
    }

    /// Listens at `endpoint`; `options` say what sessions may do where the framing is frames.
    ///
    /// # Errors
    /// As [`Listener::bind`](crate::Listener::bind).
    pub fn bind_with(
        endpoint: &Endpoint,
        framing: Framing,
        options: soquete_proto::server::Options,
        listen: &ListenOptions,
    ) -> Result<Self, Error> {
        let mut hub = Hub::new(Limits::default())?;
        let service = hub.add_service(framing, options);
        let endpoint = hub.listen(service, endpoint, listen)?;
        Ok(Server { hub, endpoint })
    }

    /// Takes other limits than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.hub.set_limits(limits);
        self
    }

    /// Returns where it really listens: port 0 has become a port.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns a handle by which any thread can stop it.
    pub fn stopper(&self) -> Stopper {
        self.hub.stopper()
    }

    /// Serves until it is stopped; then takes no more connections, says goodbye and lets them end, for 2 s at most.
    ///
    /// # Errors
    /// What the wait for descriptors can say; a failing connection is no error of the server.
    #[cfg(unix)]
    pub fn run<H: Handler>(mut self, mut handler: H) -> Result<(), Error> {
        while !self.hub.is_stopped() {
            self.hub.turn(None, &mut handler)?;
        }
        self.hub.close_listeners();
        self.hub.goodbye("the server was stopped", &mut handler);
        self.hub.drain(GOODBYE_TIMEOUT, &mut handler);
        Ok(())
    }

    /// Serves one connection to its end, then the next, until it is stopped; the others wait in the backlog.
    ///
    /// Each has what it had with [`run`](Server::run), but nobody else is heard meanwhile. So who says nothing while
    /// another waits has to go, after [`Limits::patience`]; who goes on talking may stay. A client that connects waits
    /// until it is its turn, and with it the answer to its first request. After a stop the connection that is served has
    /// 2 s to end; those in the backlog are reset.
    ///
    /// ```
    /// use soquete::{Bounds, Client, ClientOptions, Exchange, Framing, Server};
    ///
    /// let bounds = Bounds { receive_max_bytes: 1024, send_max_bytes: 1024 };
    /// let server = Server::bind(&"mem:counter".parse()?, Framing::Line(bounds))?;
    /// let stopper = server.stopper();
    /// let mut count = 0;
    /// let serving = std::thread::spawn(move || {
    ///     server.run_in_turn(move |exchange: Exchange<'_>| {
    ///         count += 1;
    ///         exchange.reply(format!("{count}").as_bytes()).unwrap();
    ///     })
    /// });
    /// for expected in [b"1", b"2"] {
    ///     // Each is gone when the next one comes.
    ///     let mut client = Client::connect(&"mem:counter".parse()?, ClientOptions::line(1024))?;
    ///     assert_eq!(client.request(b"count")?, expected);
    /// }
    /// stopper.stop();
    /// serving.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Cause::Misuse`] where there are no connections, over datagrams; what the wait for descriptors can say. A failing
    /// connection is no error of the server.
    pub fn run_in_turn<H: Handler>(self, mut handler: H) -> Result<(), Error> {
        let Server { hub, endpoint } = self;
        let no_connections = || Error::new(Operation::Listen, &endpoint, Cause::Misuse("datagrams have no turns"));
        let (mut alone, listener) = hub.into_alone().ok_or_else(no_connections)?;
        alone.run(listener, &mut handler)
    }
}
