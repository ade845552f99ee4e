//! What stands in the place of the loop where there is none: one service, and where its clients come, one after the other.

use super::service::Service;
use super::{Alone, Framing, Limits, Shared, Stopper};
use crate::{Cause, Endpoint, Error, ListenOptions, Listener, Operation};
use soquete_proto::server::Options;
use std::io;

/// What a server holds until it serves.
pub(crate) struct Hub {
    shared: Shared,
    limits: Limits,
    listener: Option<Listener>,
}

impl Hub {
    pub(crate) fn new(limits: Limits) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::without_address(Operation::Poll, error);
        Ok(Hub { shared: Shared::new().map_err(failed)?, limits, listener: None })
    }

    pub(crate) fn add_service(&mut self, framing: Framing, options: Options) -> usize {
        self.shared.services.push(Service::new(framing, options));
        self.shared.services.len() - 1
    }

    pub(crate) fn listen(&mut self, _: usize, endpoint: &Endpoint, options: &ListenOptions) -> Result<Endpoint, Error> {
        if endpoint.is_datagram() {
            let no_loop = Cause::Misuse("servers over datagrams are not supported on this system");
            return Err(Error::new(Operation::Listen, endpoint, no_loop));
        }
        let listener = Listener::bind(endpoint, &ListenOptions { nonblocking: true, ..*options })?;
        let local = listener.local().clone();
        self.listener = Some(listener);
        Ok(local)
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(crate) fn stopper(&self) -> Stopper {
        Stopper::new(self.shared.mailbox.clone())
    }

    pub(crate) fn into_alone(self) -> Option<(Alone, Listener)> {
        Some((Alone::over(self.shared, self.limits), self.listener?))
    }
}
