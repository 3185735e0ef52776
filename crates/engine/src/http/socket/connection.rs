//! One socket from handshake to close.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use tokio::time::{Instant, MissedTickBehavior};

use super::operations::{Caller, Operations};
use super::outbox::{Outbox, Outgoing};
use super::protocol::{ClientMessage, Protocol, close};
use crate::error::GraphqlError;
use crate::serving::Surface;

/// Control frames that may wait before the client's frames are left unread.
const BACKLOG: usize = 256;
/// Longer than any socket lives.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// Serves a socket until either side ends it.
pub(super) async fn serve(surface: Arc<Surface>, socket: WebSocket, protocol: Protocol, handshake: HeaderMap) {
    let outbox = Arc::new(Outbox::default());
    let operations = Operations::new(surface.clone(), outbox.clone(), protocol);
    let connection = Connection { surface, socket, protocol, handshake, outbox, operations: operations.clone() };
    connection.run().await;
    operations.stop_all();
}

struct Connection {
    surface: Arc<Surface>,
    socket: WebSocket,
    protocol: Protocol,
    handshake: HeaderMap,
    outbox: Arc<Outbox>,
    operations: Arc<Operations>,
}

impl Connection {
    async fn run(mut self) {
        let limits = self.surface.limits.sizes.clone();
        let mut keep_alive = tokio::time::interval_at(Instant::now() + limits.keep_alive, limits.keep_alive);
        keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = tokio::time::interval_at(Instant::now() + limits.readmission, limits.readmission);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut versions = self.surface.metadata.versions.subscribe();
        let mut caller: Option<Caller> = None;
        // When the socket ends by itself: for want of `connection_init`, later with the credentials.
        let mut ends_at = Instant::now() + limits.init_timeout;
        loop {
            let may_read = self.outbox.backlog() < BACKLOG;
            let outgoing = tokio::select! {
                biased;
                outgoing = self.outbox.next() => outgoing,
                () = tokio::time::sleep_until(ends_at) => match caller {
                    None => Outgoing::Close(self.protocol.init_timeout()),
                    Some(_) => Outgoing::Drop,
                },
                // Clients that wait for `connection_ack` take anything before it for a refusal.
                _ = keep_alive.tick(), if caller.is_some() => Outgoing::Frame(self.protocol.keep_alive()),
                _ = looks.tick(), if caller.is_some() && self.surface.auth.admission.is_some() => {
                    let still = match &caller {
                        Some(caller) => self.surface.admit(&caller.headers).await,
                        None => Ok(()),
                    };
                    match still {
                        Ok(()) => continue,
                        Err(error) => Outgoing::Close(self.not_admitted(&error)),
                    }
                }
                changed = versions.changed() => {
                    if let (Ok(()), Some(caller)) = (changed, &caller) {
                        self.operations.replan(caller);
                    }
                    continue;
                }
                message = self.socket.recv(), if may_read => {
                    let text = match message {
                        Some(Ok(Message::Text(text))) => text,
                        Some(Ok(Message::Binary(bytes))) => match String::from_utf8(bytes.to_vec()) {
                            Ok(text) => text.into(),
                            Err(_) => String::new().into(),
                        },
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    };
                    match ClientMessage::read(&text, self.protocol) {
                        // The older protocol says nothing of a second one, and Hasura takes it.
                        Ok(ClientMessage::Init(_)) if caller.is_some() && self.protocol == Protocol::TransportWs => {
                            self.close(close(4429, "4429: Too many initialisation requests"));
                        }
                        Ok(ClientMessage::Init(headers)) => match self.initialise(headers).await {
                            Some(accepted) => {
                                ends_at = end_of(&accepted);
                                caller = Some(accepted);
                            }
                            None => continue,
                        },
                        Ok(message) => self.handle(message, caller.as_ref()),
                        Err(message) => self.malformed(&message),
                    }
                    continue;
                }
            };
            if !self.send(outgoing, limits.send_timeout).await {
                return;
            }
        }
    }

    /// Sends; says whether the socket goes on.
    async fn send(&mut self, outgoing: Outgoing, limit: Duration) -> bool {
        let message = match outgoing {
            Outgoing::Frame(text) => Message::Text(text),
            Outgoing::Close(frame) => {
                let _ = tokio::time::timeout(limit, self.socket.send(Message::Close(Some(frame)))).await;
                return false;
            }
            Outgoing::Drop => return false,
        };
        matches!(tokio::time::timeout(limit, self.socket.send(message)).await, Ok(Ok(())))
    }

    fn frame(&self, frame: axum::extract::ws::Utf8Bytes) {
        self.outbox.push(Outgoing::Frame(frame));
    }

    fn close(&self, frame: CloseFrame) {
        self.outbox.push(Outgoing::Close(frame));
    }

    /// Decides who asks; headers of `connection_init` count before those of the handshake, but for tokens: of two it is
    /// not known whose socket it is.
    async fn initialise(&mut self, given: HeaderMap) -> Option<Caller> {
        let mut headers = self.handshake.clone();
        let tokens = given.get_all(AUTHORIZATION).iter().chain(self.handshake.get_all(AUTHORIZATION));
        let tokens: Vec<HeaderValue> = tokens.cloned().collect();
        headers.extend(given);
        headers.remove(AUTHORIZATION);
        for token in tokens {
            headers.append(AUTHORIZATION, token);
        }
        let admitted = match self.surface.auth.authenticator.authenticate(&headers).await {
            Ok(identity) => self.surface.admit(&headers).await.map(|()| identity),
            Err(error) => Err(error),
        };
        match admitted {
            Ok(identity) => {
                self.frame(self.protocol.ack());
                self.frame(self.protocol.keep_alive());
                Some(Caller { identity: Arc::new(identity), headers: Arc::new(headers) })
            }
            Err(error) => {
                if self.protocol == Protocol::Legacy {
                    self.frame(self.protocol.connection_error(&error.message));
                }
                self.close(self.not_admitted(&error));
                None
            }
        }
    }

    fn not_admitted(&self, error: &GraphqlError) -> CloseFrame {
        match self.protocol {
            Protocol::TransportWs => close(4403, "4403: Forbidden"),
            Protocol::Legacy => close(4400, &format!("4400: Connection initialization failed: {}", error.message)),
        }
    }

    fn handle(&self, message: ClientMessage, caller: Option<&Caller>) {
        match message {
            ClientMessage::Init(_) | ClientMessage::Pong => {}
            ClientMessage::Ping(with_payload) => self.frame(self.protocol.pong(with_payload)),
            ClientMessage::Terminate => {
                let reason = "GQL_CONNECTION_TERMINATE received".into();
                self.close(CloseFrame { code: 1000, reason });
            }
            ClientMessage::Stop(id) => self.operations.stop(&id),
            ClientMessage::Start { id, payload } => match caller {
                None => self.cannot_start(&id, "start received before the connection is initialised"),
                Some(_) if self.operations.contains(&id) => {
                    self.cannot_start(&id, &format!("an operation already exists with this id: {id}"));
                }
                Some(_) if self.operations.count() >= self.surface.limits.sizes.operations_per_socket => {
                    self.close(close(4429, "4429: too many operations run on this socket"));
                }
                Some(caller) => self.operations.start(caller.clone(), id, payload),
            },
        }
    }

    fn cannot_start(&self, id: &str, message: &str) {
        self.frame(self.protocol.start_error(id, message));
        match self.protocol {
            Protocol::TransportWs => self.close(close(1000, &format!("4400: {message}"))),
            Protocol::Legacy => self.frame(self.protocol.complete(id)),
        }
    }

    fn malformed(&self, message: &str) {
        match self.protocol {
            Protocol::TransportWs => {
                self.close(close(4400, &format!("4400: Parsing client message failed: {message}")));
            }
            Protocol::Legacy => self.frame(self.protocol.connection_error(message)),
        }
    }
}

/// When the caller's credentials end.
fn end_of(caller: &Caller) -> Instant {
    let Some(expires_at) = caller.identity.expires_at else { return Instant::now() + FAR };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let end = Duration::from_secs(u64::try_from(expires_at).unwrap_or_default());
    Instant::now() + end.saturating_sub(now).min(FAR)
}
