//! How a connection understands what came, in the language it speaks.

use super::super::handler::{Ending, Exchange, Handler, Tongue, Way, put_err};
use super::super::service::{Bounds, Framing, Languages, Service, TEXT_BOUNDS};
use super::{Codec, Connection, FLUSH_AT_BYTES, Lent};
use soquete_proto::channel::{DATAGRAM_MAX_BYTES, FRAME_MAX_BYTES};
use soquete_proto::handshake::{Code, Reason};
use soquete_proto::opening::{Language, TLS_ALERT};
use soquete_proto::server::{Event, Link};
use soquete_proto::{lines, text};

/// Octets that a lingering connection may still send before it is cut off.
const LINGER_MAX_BYTES: usize = 256 << 10;

/// Lines that are no command before a text connection ends.
const MALFORMED_MAX: u8 = 3;

impl Connection {
    /// The first octet alone decides; the server reads what it would otherwise peek at, for it is the one to use it.
    pub(super) fn decide(&mut self, first: u8, lent: &mut Lent<'_>) {
        let Service { framing, core, .. } = &lent.services[self.service];
        let language = Language::of(first);
        let spoken = match framing {
            Framing::Detect(languages) => *languages,
            _ => Languages { text: false, frames: true, http: false },
        };
        match language {
            Some(Language::Frames) if spoken.frames => {
                let frame_max_bytes = if self.wire.visit().is_some() { FRAME_MAX_BYTES } else { u32::MAX };
                let mut link = Box::new(Link::new(self.id.0, lent.now).over(frame_max_bytes));
                if let Some(why) = &self.refused {
                    core.refuse(&mut link, Code::Unauthorised, why, lent.out);
                    let why = why.to_string();
                    self.refuse(why);
                } else {
                    self.codec = Codec::Frames(link);
                }
            }
            Some(Language::Text) if spoken.text || spoken.http => self.codec = Codec::Text { is_first: true },
            Some(Language::Frames) => {
                Reason { code: Code::Service, text: "frames are not spoken here" }.put_reject(lent.out);
                self.refuse("frames are not spoken here");
            }
            Some(Language::Text) => {
                put_err(lent.out, "text is not spoken here");
                self.refuse("text is not spoken here");
            }
            Some(Language::Tls) => {
                lent.out.extend_from_slice(&TLS_ALERT);
                self.refuse("TLS is not spoken here");
            }
            None => self.refuse(format!("no language begins with octet {first:#04x}")),
        }
    }

    /// Ends the connection for `why`, which was said: all is sent, then what still comes is thrown away until the peer
    /// closes, so that the words are not lost in a reset.
    fn linger(&mut self, why: Ending) {
        let link = match std::mem::replace(&mut self.codec, Codec::Undecided) {
            Codec::Frames(link) | Codec::Lingering { link: Some(link), .. } => Some(link),
            _ => None,
        };
        self.codec = Codec::Lingering { left_bytes: LINGER_MAX_BYTES, why, link };
    }

    pub(super) fn refuse(&mut self, why: impl Into<String>) {
        self.linger(Ending::Refused(why.into()));
    }

    pub(super) fn lines<H: Handler>(&mut self, rest: &mut &[u8], lent: &mut Lent<'_>, handler: &mut H) {
        let (max_bytes, is_text) = match &self.codec {
            Codec::Line(bounds) => (bounds.receive_max_bytes, false),
            _ => (lines::LINE_MAX_BYTES, true),
        };
        while self.fate.deferred == 0 && !self.fate.close && lent.out.len() < FLUSH_AT_BYTES {
            match lines::take(rest, max_bytes) {
                Ok(Some(line)) => self.line(line, lent, handler),
                Ok(None) => return,
                Err(too_long) => {
                    if is_text {
                        put_err(lent.out, &too_long.to_string());
                    }
                    *rest = &[];
                    self.refuse(too_long.to_string());
                }
            }
            if let Codec::Lingering { .. } = self.codec {
                return;
            }
        }
    }

    pub(super) fn line<H: Handler>(&mut self, line: &[u8], lent: &mut Lent<'_>, handler: &mut H) {
        let is_first = match &mut self.codec {
            Codec::Line(bounds) => {
                let bounds = *bounds;
                return self.message(line, Tongue::Text, bounds, lent, handler);
            }
            Codec::Text { is_first } if line.trim_ascii().is_empty() => *is_first,
            Codec::Text { is_first } => std::mem::replace(is_first, false),
            _ => return,
        };
        let languages = lent.services[self.service].languages();
        if is_first && text::is_http(line) {
            return self.http(line.starts_with(b"GET "), languages.http, lent, handler);
        }
        if let Some(why) = self.refused.take() {
            put_err(lent.out, &why);
            return self.refuse(why);
        }
        if !languages.text || text::is_http_header(line) {
            put_err(lent.out, "this port takes no commands over HTTP");
            return self.refuse("a header of HTTP instead of a command");
        }
        self.message(line, Tongue::Text, TEXT_BOUNDS, lent, handler);
        if self.fate.malformed >= MALFORMED_MAX {
            self.refuse(format!("{MALFORMED_MAX} lines that are no command"));
        }
    }

    /// Answers HTTP with the one page, or with why not.
    fn http<H: Handler>(&mut self, is_get: bool, is_spoken: bool, lent: &mut Lent<'_>, handler: &mut H) {
        let (status, body) = match (self.refused.take(), is_spoken, is_get) {
            (Some(why), ..) => ("403 Forbidden", format!("{why}\n")),
            (None, false, _) => ("404 Not Found", "HTTP is not spoken here.\n".to_owned()),
            (None, true, false) => {
                ("405 Method Not Allowed\r\nAllow: GET", "Nothing that arrives over HTTP is a command.\n".to_owned())
            }
            (None, true, true) => ("200 OK", handler.page(self.service)),
        };
        put_http(lent.out, status, &body);
        let ending = match status {
            "200 OK" => Ending::Closed,
            _ => Ending::Refused(format!("HTTP: {}", body.trim_end())),
        };
        self.linger(ending);
    }

    /// Returns how long an answer without session may be: over datagrams it must fit one, but text may take several.
    pub(super) fn answer_max_bytes(&self, bounds: Bounds) -> usize {
        match (&self.codec, self.wire.visit()) {
            (Codec::Raw(_), Some(_)) => bounds.send_max_bytes.min(DATAGRAM_MAX_BYTES),
            (Codec::Line(_), Some(_)) => bounds.send_max_bytes.min(DATAGRAM_MAX_BYTES - 1),
            _ => bounds.send_max_bytes,
        }
    }

    /// Hands over one message of a stream without sessions.
    pub(super) fn message<H: Handler>(
        &mut self,
        payload: &[u8],
        tongue: Tongue,
        bounds: Bounds,
        lent: &mut Lent<'_>,
        handler: &mut H,
    ) {
        let is_line = tongue == Tongue::Text;
        if let Some(why) = self.refused.take() {
            if is_line {
                put_err(lent.out, &why);
            }
            return self.refuse(why);
        }
        let way = Way::Stream { out: lent.out, is_line, max_bytes: self.answer_max_bytes(bounds) };
        handler.receive(Exchange {
            payload,
            topic: 0,
            deadline: None,
            hops: 0,
            age: None,
            tongue,
            peer: &self.peer,
            name: &self.name,
            service: self.service,
            connection: self.id,
            way,
            mailbox: lent.mailbox,
            fate: &mut self.fate,
        });
    }

    #[inline]
    pub(super) fn frames<H: Handler>(&mut self, rest: &mut &[u8], lent: &mut Lent<'_>, handler: &mut H) {
        let Codec::Frames(link) = &mut self.codec else { return };
        let core = &mut lent.services[self.service].core;
        while !rest.is_empty() && lent.out.len() < FLUSH_AT_BYTES && !self.fate.close {
            let (request, topic, payload, is_urgent) = match core.next(lent.now, link, rest, lent.out) {
                Ok(Some(Event::Message { topic, payload, is_urgent })) => (None, topic, payload, is_urgent),
                Ok(Some(Event::Request(request))) => (Some(request), request.topic, request.payload, false),
                Ok(Some(Event::Open { name, .. })) => {
                    self.name = name.into();
                    continue;
                }
                Ok(Some(Event::Cancel { id })) => {
                    handler.cancel(self.id, id);
                    continue;
                }
                Ok(Some(Event::Goodbye)) => {
                    self.fate.close = true;
                    return;
                }
                Ok(None) => return,
                Err(fault) => {
                    *rest = &[];
                    return self.refuse(fault.to_string());
                }
            };
            let (deadline, hops, age) =
                request.map_or((None, 0, None), |request| (request.deadline, request.hops, request.age));
            let way = match request {
                Some(request) => Way::Frames { core, link, out: lent.out, ticket: request.ticket },
                None => Way::None { is_urgent },
            };
            handler.receive(Exchange {
                payload,
                topic,
                deadline,
                hops,
                age,
                tongue: Tongue::Frames,
                peer: &self.peer,
                name: &self.name,
                service: self.service,
                connection: self.id,
                way,
                mailbox: lent.mailbox,
                fate: &mut self.fate,
            });
        }
    }
}

/// Appends an answer of HTTP, after which the connection ends.
fn put_http(out: &mut Vec<u8>, status: &str, body: &str) {
    let len_bytes = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len_bytes}\r\n\
         Connection: close\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body.as_bytes());
}
