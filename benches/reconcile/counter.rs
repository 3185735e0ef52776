//! A proxy that counts the requests of HTTP clients and says when one about something was begun.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// The proxy.
pub struct Counter {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    writes: AtomicUsize,
    waiting: Mutex<Option<(String, oneshot::Sender<Instant>)>>,
}

impl Counter {
    /// Begins to pass connections on.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Seen>::default());
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(pass_on(client, target, Arc::clone(&noted)));
            }
        });
        Self { address, seen }
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::Relaxed)
    }

    /// Those of them that write.
    pub fn writes(&self) -> usize {
        self.seen.writes.load(Ordering::Relaxed)
    }

    /// When the next request whose first line contains that was begun.
    pub fn next(&self, part: &str) -> impl Future<Output = Instant> + use<> {
        let (sender, receiver) = oneshot::channel();
        *self.seen.waiting.lock().unwrap() = Some((part.to_owned(), sender));
        async { receiver.await.unwrap() }
    }
}

async fn pass_on(client: TcpStream, target: SocketAddr, seen: Arc<Seen>) {
    let server = TcpStream::connect(target).await.unwrap();
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        seen.note(&buffer[..length]);
        if to_server.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    back.abort();
}

impl Seen {
    /// A client sends the head of a request at once, and no request before the last one is answered.
    fn note(&self, bytes: &[u8]) {
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let Ok(line) = std::str::from_utf8(line) else { return };
        let method = line.split(' ').next().unwrap_or_default();
        if !line.ends_with("HTTP/1.1") || !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method) {
            return;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        if method != "GET" {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        let mut waiting = self.waiting.lock().unwrap();
        if waiting.as_ref().is_some_and(|(part, _)| line.contains(part.as_str()))
            && let Some((_, sender)) = waiting.take()
        {
            sender.send(Instant::now()).ok();
        }
    }
}
