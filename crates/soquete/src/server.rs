//! A server: one service, one endpoint, one handler.

use crate::hub::{Framing, Handler, Hub, Limits, Stopper};
use crate::{Endpoint, Error, ListenOptions};
use std::time::Duration;

/// How long [`Server::run`] lets connections end after it was stopped.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// A server of one service at one endpoint, for any number of clients at once, in one thread.
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
    pub fn run<H: Handler>(mut self, mut handler: H) -> Result<(), Error> {
        while !self.hub.is_stopped() {
            self.hub.turn(None, &mut handler)?;
        }
        self.hub.close_listeners();
        self.hub.goodbye("the server was stopped", &mut handler);
        self.hub.drain(GOODBYE_TIMEOUT, &mut handler);
        Ok(())
    }
}
