//! Where a process listens: at endpoints that it binds, and at sockets that were bound for it.

use std::os::fd::OwnedFd;

use soquete::{
    Datagram, Endpoint, Framing, Host, Hub, Languages, ListenOptions, Listener, ServerOptions, UnixName, resolve,
};

use crate::config::{Language, ProcessConfig, Serve};
use crate::error::ProcessError;
use crate::front::{COMMAND_MAX_BYTES, CONTROL, SERVICE};
use crate::surroundings::Surroundings;

/// A socket that was passed.
enum Passed {
    Listener(Listener),
    Datagram(Datagram),
}

/// Listens at each endpoint of the configuration, in its order; returns where it really does.
pub(super) fn listen(
    hub: &mut Hub,
    config: &ProcessConfig,
    sockets: Vec<OwnedFd>,
) -> Result<Vec<Endpoint>, ProcessError> {
    let mut passed = sockets.into_iter().map(Passed::of).collect::<Result<Vec<_>, _>>()?;
    let places: Vec<_> = config.serve.iter().map(|serve| passed_at(&mut passed, &serve.at)).collect();
    if !passed.is_empty() {
        return Err(not_served(&passed, &config.serve));
    }
    let name = config.name.as_str();
    config.serve.iter().zip(places).map(|(serve, passed)| listen_at(hub, serve, passed, name)).collect()
}

fn listen_at(hub: &mut Hub, serve: &Serve, passed: Option<Passed>, name: &str) -> Result<Endpoint, ProcessError> {
    let speaks = |language| serve.speak.contains(language);
    let languages =
        Languages { text: speaks(Language::Text), frames: speaks(Language::Frames), http: speaks(Language::Http) };
    let service = hub.add_service(Framing::Detect(languages), options(SERVICE, name));
    let options = ListenOptions { backlog: serve.backlog, mode: serve.mode, ..ListenOptions::default() };
    Ok(match passed {
        Some(Passed::Listener(listener)) => hub.take_listener(service, listener)?,
        Some(Passed::Datagram(socket)) => hub.take_datagram(service, socket)?,
        None => hub.listen(service, &serve.at, &options)?,
    })
}

/// Listens at the control socket, where there is to be one; returns its service.
pub(super) fn listen_for_control(
    hub: &mut Hub,
    surroundings: &Surroundings,
    name: &str,
) -> Result<Option<usize>, ProcessError> {
    let Some(path) = surroundings.control.clone() else { return Ok(None) };
    let service = hub.add_service(Framing::Frames, options(CONTROL, name));
    let options = ListenOptions { mode: Some(surroundings.askers.mode()), ..ListenOptions::default() };
    hub.listen(service, &Endpoint::Unix(UnixName::Path(path)), &options)?;
    Ok(Some(service))
}

fn options(service: &str, name: &str) -> ServerOptions {
    ServerOptions { name: name.to_owned(), payload_max_bytes: COMMAND_MAX_BYTES, ..ServerOptions::new(service) }
}

impl Passed {
    fn of(fd: OwnedFd) -> Result<Self, ProcessError> {
        let is_datagram = rustix::net::sockopt::socket_type(&fd) == Ok(rustix::net::SocketType::DGRAM);
        Ok(if is_datagram { Self::Datagram(Datagram::from_fd(fd)?) } else { Self::Listener(Listener::from_fd(fd)?) })
    }

    fn local(&self) -> &Endpoint {
        match self {
            Self::Listener(listener) => listener.local(),
            Self::Datagram(socket) => socket.local(),
        }
    }
}

/// Takes the socket that was passed for an endpoint, where one was.
fn passed_at(passed: &mut Vec<Passed>, served: &Endpoint) -> Option<Passed> {
    // A group has to be joined, which who passed its socket has not done.
    let place = passed.iter().position(|socket| !served.is_multicast() && is_at(socket.local(), served))?;
    Some(passed.remove(place))
}

/// Says whether a socket is bound where an endpoint says, which may do so by a name.
fn is_at(bound: &Endpoint, served: &Endpoint) -> bool {
    let (ip, bound_port, host, port) = match (bound, served) {
        (Endpoint::Tcp { host: Host::Ip(ip), port: bound_port }, Endpoint::Tcp { host, port })
        | (Endpoint::Udp { host: Host::Ip(ip), port: bound_port, .. }, Endpoint::Udp { host, port, .. }) => {
            (ip, bound_port, host, port)
        }
        _ => return bound == served,
    };
    // A name that cannot be looked up says so when it is bound.
    let at = || resolve(host, *port).unwrap_or_default();
    bound_port == port && at().iter().any(|address| address.ip() == *ip)
}

fn not_served(passed: &[Passed], serves: &[Serve]) -> ProcessError {
    let list = |places: Vec<String>| if places.is_empty() { "nothing".to_owned() } else { places.join(", ") };
    let passed = list(passed.iter().map(|socket| socket.local().to_string()).collect());
    let served = list(serves.iter().map(|serve| serve.at.to_string()).collect());
    ProcessError {
        what: format!("passed was {passed}, which this process does not serve; it serves {served}"),
        act: Some("give socket unit and `serve` the same addresses, of the same kinds; groups are never passed".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn endpoint(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    #[test]
    fn a_socket_belongs_to_the_endpoint_of_its_address_and_kind() {
        let is_at = |bound: &str, served: &str| is_at(&endpoint(bound), &endpoint(served));
        assert!(is_at("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555"));
        assert!(
            is_at("tcp://127.0.0.1:5555", "tcp://localhost:5555") || is_at("tcp://[::1]:5555", "tcp://localhost:5555")
        );
        assert!(is_at("udp://127.0.0.1:5555", "udp://127.0.0.1:5555?ttl=4"));
        assert!(is_at("seqpacket:///run/led", "seqpacket:///run/led"));
        for (bound, served) in [
            ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556"),
            ("tcp://127.0.0.1:5555", "tcp://0.0.0.0:5555"),
            ("tcp://127.0.0.1:5555", "udp://127.0.0.1:5555"),
            ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:0"),
            ("unix:///run/led", "seqpacket:///run/led"),
        ] {
            assert!(!is_at(bound, served), "{bound} {served}");
        }
    }

    #[test]
    fn what_was_passed_and_is_not_served_is_named_beside_what_is() {
        let bound = || Listener::bind(&endpoint("tcp://127.0.0.1:0"), &ListenOptions::default()).unwrap();
        let mut config = ProcessConfig::new("led".parse().unwrap());
        config.serve.push(Serve::new(endpoint("unix:@led")));
        let mut hub = Hub::new(soquete::Limits::default()).unwrap();
        let stranger = bound();
        let named = stranger.local().to_string();
        let wrong = listen(&mut hub, &config, vec![stranger.as_fd().try_clone_to_owned().unwrap()]).unwrap_err();
        assert_eq!(wrong.what, format!("passed was {named}, which this process does not serve; it serves unix:@led"));
        let file = std::fs::File::open("/dev/null").unwrap();
        let wrong = listen(&mut hub, &config, vec![file.into()]).unwrap_err();
        assert!(wrong.what.contains("no socket that listens"), "{}", wrong.what);
    }
}
