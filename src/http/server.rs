//! Listening: HTTP/1.1 and HTTP/2 without TLS, with limits on slow and greedy clients, and a graceful end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::domain::Result;

/// A client that takes longer to send its headers is disconnected (slow loris), and so is one that sends nothing.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
/// Request line and headers together, in bytes.
const HEADER_LIMIT: usize = 64 * 1024;
/// After a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves `router` until `stop`; then takes no new connection, and waits until open requests have been answered,
/// but no longer than `patience`. Sockets (WebSocket) are not waited for.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, patience: Duration) -> Result<()> {
    let builder = builder();
    let open = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        let (builder, watcher, router) = (builder.clone(), open.watcher(), router.clone());
        tokio::spawn(async move {
            let asked = CancellationToken::new();
            let first = asked.clone();
            let service = TowerToHyperService::new(tower::service_fn(move |request| {
                first.cancel();
                answer(router.clone(), request, peer)
            }));
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(prepared(stream)), service);
            let mut connection = pin!(watcher.watch(connection));
            // hyper's own patience begins once it knows which version of HTTP it is spoken to in.
            let ended = tokio::select! {
                ended = &mut connection => ended,
                () = asked.cancelled() => connection.await,
                () = tokio::time::sleep(HEADER_PATIENCE) => return tracing::debug!("connection_silent"),
            };
            if let Err(error) = ended {
                tracing::debug!(cause = error, "connection_ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(patience, open.shutdown()).await.is_err() {
        tracing::warn!("requests_cut_off");
    }
    Ok(())
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_buf_size(HEADER_LIMIT)
        // A socket's handshake is answered in the letters in which it was asked.
        .preserve_header_case(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEADER_LIMIT).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(30));
    builder
}

fn prepared(stream: TcpStream) -> TcpStream {
    // Answers are written whole; waiting for more only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(cause = %error, "nodelay_refused");
    }
    stream
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<axum::response::Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request).await
}

async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    // The client has gone again: nothing to wait for.
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(cause = %error, "accept_failed");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
