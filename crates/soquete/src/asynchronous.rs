//! A client for programs that live in tokio, over the same protocol core as the blocking one.

mod ask;
mod datagram;
mod dial;
mod driver;
mod gather;
mod hear;
mod stream;
mod subscription;
mod typed;
mod wire;

pub use datagram::AsyncDatagram;
pub use stream::AsyncStream;
pub use subscription::{Event, Subscription};
pub use typed::Watching;

use crate::{Cause, ClientFraming, ClientOptions, Clock, Endpoint, Error, Operation, Outcome};
use ask::{Ask, Ended, Guard, Urgent, Waiting, verdict_error};
use dial::Dialling;
use driver::Driver;
use soquete_proto::client::Verdict;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Requests unanswered and messages unsent at a time, of all clones; 1,024, as many as a server takes by default.
/// Who comes then waits.
const ASKS_MAX: usize = 1024;

/// Urgent messages that wait for the connection, of all clones, beside the others; 1,024. Who comes then waits.
const URGENT_MAX: usize = 1024;

/// A client of frames for any number of tasks at once; cheap to clone.
///
/// One task of the runtime owns the connection and sends with one write what all others have queued. A lost connection
/// is made again with the next request; a [`call`](AsyncClient::call) goes on over it, a [`request`](AsyncClient::request)
/// ends with the connection it was sent over. When the last clone and [`Subscription`] are dropped, the connection ends
/// in order.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use soquete::{AsyncClient, ClientOptions, Exchange, Framing, Server};
/// let mut server = Server::bind(&"mem:asynchronous".parse()?, Framing::Frames)?;
/// let stopper = server.stopper();
/// std::thread::spawn(move || server.run(|exchange: Exchange<'_>| exchange.reply(b"OK LED ON").unwrap_or_default()));
///
/// let led = AsyncClient::connect(&"mem:asynchronous".parse()?, ClientOptions::frames("")).await?;
/// assert_eq!(led.request(b"LED ON").await?, b"OK LED ON");
/// led.close().await;
/// stopper.stop();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AsyncClient {
    shared: Arc<Shared>,
}

/// What the clones of a client have in common; when it goes, the driver ends.
struct Shared {
    endpoint: Endpoint,
    timeout: Option<Duration>,
    asks: mpsc::UnboundedSender<Ask>,
    /// Bounds what is in `asks`.
    room: Arc<Semaphore>,
    /// Bounds what of it is urgent.
    urgent_room: Arc<Semaphore>,
    tokens: AtomicU64,
}

impl AsyncClient {
    /// Connects. The handshake goes with the first request, so that it costs no round trip of its own.
    ///
    /// To be called within a runtime of tokio with IO and time enabled.
    ///
    /// # Errors
    /// What [`Stream::connect_timeout`](crate::Stream::connect_timeout) says; [`Cause::Misuse`] for a framing that is
    /// not frames, and for a group.
    pub async fn connect(endpoint: &Endpoint, options: ClientOptions) -> Result<Self, Error> {
        let ClientFraming::Frames(core) = options.framing else {
            return Err(Error::new(Operation::Connect, endpoint, Cause::Misuse("the async client speaks frames only")));
        };
        if endpoint.reaches_many() {
            return Err(Error::new(Operation::Connect, endpoint, crate::error::NO_SESSION));
        }
        let (asks, asked) = mpsc::unbounded_channel();
        let dialling = Dialling {
            endpoint: endpoint.clone(),
            connect_timeout: options.connect_timeout,
            unsent_max_bytes: options.unsent_max_bytes,
        };
        let wire = dialling.dial().await?;
        let driver = Driver::new(dialling, core, wire, asked);
        tokio::spawn(driver.run());
        let shared = Shared {
            endpoint: endpoint.clone(),
            timeout: options.timeout,
            asks,
            room: Arc::new(Semaphore::new(ASKS_MAX)),
            urgent_room: Arc::new(Semaphore::new(URGENT_MAX)),
            tokens: AtomicU64::new(0),
        };
        Ok(AsyncClient { shared: Arc::new(shared) })
    }

    /// Returns where it connects to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// Sends `payload` and waits for its answer. Dropping the future takes the request back.
    ///
    /// Where there is no connection one is tried to be made, once.
    ///
    /// # Errors
    /// [`Cause::Rejected`] where the server refused it, with the reason; [`Cause::Timeout`] after
    /// [`ClientOptions::timeout`]; [`Cause::Closed`] where the connection was lost before the answer came;
    /// [`Cause::Oversize`] above the server's limit; what connecting can say.
    pub async fn request(&self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        self.request_on(0, payload).await
    }

    /// As [`request`](AsyncClient::request), with a message type.
    ///
    /// # Errors
    /// As [`request`](AsyncClient::request).
    pub async fn request_on(&self, topic: u16, payload: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.reply(topic, payload, None).await?.0)
    }

    /// Asks for something that must not be done twice, nor after `timeout` from now; tells how it ended.
    ///
    /// Where the connection is lost it is made again, and the server asked what became of the request. It returns
    /// within the timeout, and at most a second later where the request was sent and its outcome is still open.
    /// Dropping the future takes the request back if it is not done yet; it is then not known whether it was.
    ///
    /// # Errors
    /// [`Cause::Rejected`] where the server refuses the session: nothing was done. A connection that is lost is no error
    /// but an outcome.
    pub async fn call(&self, payload: &[u8], timeout: Duration) -> Result<Outcome, Error> {
        self.call_on(0, payload, timeout).await
    }

    /// As [`call`](AsyncClient::call), with a message type.
    ///
    /// # Errors
    /// As [`call`](AsyncClient::call).
    pub async fn call_on(&self, topic: u16, payload: &[u8], timeout: Duration) -> Result<Outcome, Error> {
        let deadline = Clock::now().saturating_add(timeout);
        Ok(match self.submit(topic, payload, Some(deadline), None).await?.0 {
            Ended::Reply(payload) => Outcome::Done(payload),
            Ended::Failed(code, why) if code.is_not_done() => Outcome::NotDone(why),
            Ended::Failed(_, why) => Outcome::Unknown(why),
            Ended::Unanswered(Verdict::NotDone(why)) => Outcome::NotDone(why.to_string()),
            Ended::Unanswered(Verdict::Unknown(why)) => Outcome::Unknown(why.to_string()),
            Ended::Error(error) => return Err(error),
        })
    }

    /// Sends a message that wants no answer; returns as soon as it is queued, or waits while 1,024 are.
    ///
    /// It goes in the order of the requests around it, and is lost with the connection.
    ///
    /// # Errors
    /// [`Cause::Misuse`] after [`close`](AsyncClient::close).
    pub async fn message(&self, payload: &[u8]) -> Result<(), Error> {
        self.message_on(0, payload).await
    }

    /// As [`message`](AsyncClient::message), with a message type.
    ///
    /// # Errors
    /// As [`message`](AsyncClient::message).
    pub async fn message_on(&self, topic: u16, payload: &[u8]) -> Result<(), Error> {
        let permit = self.permit(&self.shared.room).await?;
        self.send(Ask::Message { topic, payload: payload.into(), _permit: permit })
    }

    /// Sends a message as [`message`](AsyncClient::message), before all that is asked and not sent; returns as soon as it is
    /// queued, or waits while 1,024 such are.
    ///
    /// It overtakes neither what the kernel holds ([`ClientOptions::unsent_max_bytes`]) nor earlier urgent ones, and waits
    /// for the handshake, which tells whether the server knows such messages. To one that does not it goes in its turn
    /// among what is gathered.
    ///
    /// # Errors
    /// As [`message`](AsyncClient::message).
    pub async fn urgent(&self, payload: &[u8]) -> Result<(), Error> {
        self.urgent_on(0, payload).await
    }

    /// As [`urgent`](AsyncClient::urgent), with a message type.
    ///
    /// # Errors
    /// As [`message`](AsyncClient::message).
    pub async fn urgent_on(&self, topic: u16, payload: &[u8]) -> Result<(), Error> {
        let permit = self.permit(&self.shared.urgent_room).await?;
        self.send(Ask::Urgent(Urgent { topic, payload: payload.into(), _permit: permit }))
    }

    /// Asks for a subscription and waits until the server has granted it. Dropping it ends it.
    ///
    /// # Errors
    /// As [`request`](AsyncClient::request).
    pub async fn subscribe(&self, payload: &[u8]) -> Result<Subscription, Error> {
        self.subscribe_on(0, payload).await
    }

    /// As [`subscribe`](AsyncClient::subscribe), with a message type.
    ///
    /// # Errors
    /// As [`request`](AsyncClient::request).
    pub async fn subscribe_on(&self, topic: u16, payload: &[u8]) -> Result<Subscription, Error> {
        let (feed, events) = subscription::channel();
        let (reply, token) = self.reply(topic, payload, Some(feed)).await?;
        Ok(Subscription::new(self.clone(), token, reply, events))
    }

    /// Ends the connection in order, for all clones: nothing more is taken, the answers still out are waited for, for
    /// 2 s at most, then the server is told.
    pub async fn close(self) {
        self.shared.room.close();
        self.shared.urgent_room.close();
        let (done, is_done) = oneshot::channel();
        if self.send(Ask::Close(done)).is_ok() {
            // The driver is gone: all the better.
            let _ = is_done.await;
        }
    }

    /// Waits for the reply to a plain request, as long as the options say; returns it with the request's token.
    async fn reply(
        &self,
        topic: u16,
        payload: &[u8],
        feed: Option<subscription::Feed>,
    ) -> Result<(Vec<u8>, u64), Error> {
        let submitted = self.submit(topic, payload, None, feed);
        let (ended, token) = match self.shared.timeout {
            Some(timeout) => {
                tokio::time::timeout(timeout, submitted).await.map_err(|_| self.failed(Cause::Timeout))??
            }
            None => submitted.await?,
        };
        match ended {
            Ended::Reply(payload) => Ok((payload, token)),
            Ended::Failed(code, text) => Err(self.failed(Cause::Rejected { code: code as u8, text: text.into() })),
            Ended::Unanswered(verdict) => Err(self.failed(verdict_error(verdict))),
            Ended::Error(error) => Err(error),
        }
    }

    /// Hands a request to the driver and waits for its end; takes it back where it is dropped before that.
    async fn submit(
        &self,
        topic: u16,
        payload: &[u8],
        deadline: Option<Duration>,
        feed: Option<subscription::Feed>,
    ) -> Result<(Ended, u64), Error> {
        let permit = match deadline {
            None => self.permit(&self.shared.room).await?,
            Some(deadline) => {
                let left = deadline.saturating_sub(Clock::now());
                match tokio::time::timeout(left, self.permit(&self.shared.room)).await {
                    Ok(permit) => permit?,
                    Err(_) => return Ok((Ended::not_answering(), 0)),
                }
            }
        };
        let (tell, told) = oneshot::channel();
        let token = self.shared.tokens.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting { token, tell, is_call: deadline.is_some(), _permit: permit };
        self.send(Ask::Request { topic, payload: payload.into(), deadline, waiting, feed })?;
        let mut guard = Guard::new(&self.shared.asks, token);
        let ended = told.await.map_err(|_| self.failed(Cause::Closed))?;
        guard.disarm();
        Ok((ended, token))
    }

    async fn permit(&self, room: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Error> {
        room.clone().acquire_owned().await.map_err(|_| self.failed(Cause::Misuse("the client was closed")))
    }

    fn send(&self, ask: Ask) -> Result<(), Error> {
        self.shared.asks.send(ask).map_err(|_| self.failed(Cause::Misuse("the client was closed")))
    }

    fn take_back(&self, token: u64) {
        // A driver that is gone has nothing to take back.
        let _ = self.shared.asks.send(Ask::Cancel(token));
    }

    fn failed(&self, cause: Cause) -> Error {
        Error::new(Operation::Receive, &self.shared.endpoint, cause)
    }
}
