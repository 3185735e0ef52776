//! Connections over real sockets: whoever says nothing is not waited for.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_connection_that_asks_nothing_is_ended_and_one_that_asks_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let router = Router::new().route("/", get(async || "here"));
    tokio::spawn(northstack::http::serve(listener, router, stop, Duration::from_secs(1)));

    // Nothing at all, and the beginning of each version's first bytes.
    let silent = ["", "P", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HT"].map(async |begun| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        // A reset ends it as well.
        drop(ended.unwrap_or_else(|_| panic!("still open after {begun:?}")));
    });
    let mut asking = TcpStream::connect(address).await.unwrap();
    let mut ask = async || {
        asking.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = vec![0; 512];
        let read = asking.read(&mut answer).await.unwrap();
        assert!(answer[..read].ends_with(b"here"));
    };
    ask().await;
    ask().await;
    futures::future::join_all(silent).await;
}
