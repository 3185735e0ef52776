//! A TCP proxy that can be cut and slowed down, in a server's place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub struct Proxy {
    pub port: u16,
    open: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
    delay: Arc<AtomicU64>,
    connections: std::sync::Mutex<CancellationToken>,
    shared: Arc<std::sync::Mutex<CancellationToken>>,
}

impl Proxy {
    /// Begins to pass connections on to `target` on loopback.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let open = Arc::new(AtomicBool::new(true));
        let accepted = Arc::new(AtomicUsize::new(0));
        let delay = Arc::new(AtomicU64::new(0));
        let token = CancellationToken::new();
        let shared = Arc::new(std::sync::Mutex::new(token.clone()));
        let (open_here, accepted_here, shared_here) = (open.clone(), accepted.clone(), shared.clone());
        let delay_here = delay.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !open_here.load(Ordering::SeqCst) {
                    continue;
                }
                accepted_here.fetch_add(1, Ordering::SeqCst);
                let cut = shared_here.lock().unwrap().clone();
                let delay = delay_here.clone();
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await {
                        cut.run_until_cancelled(pass_on(client, server, &delay)).await;
                    }
                });
            }
        });
        Self { port, open, accepted, delay, connections: std::sync::Mutex::new(token), shared }
    }

    /// Keeps whatever a client sends back for so long, from now on; zero passes it on at once.
    pub fn delay(&self, delay: Duration) {
        self.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Drops all connections and refuses new ones.
    pub fn cut(&self) {
        self.open.store(false, Ordering::SeqCst);
        self.connections.lock().unwrap().cancel();
    }

    /// Passes connections on again.
    pub fn restore(&self) {
        let token = CancellationToken::new();
        *self.shared.lock().unwrap() = token.clone();
        *self.connections.lock().unwrap() = token;
        self.open.store(true, Ordering::SeqCst);
    }

    /// Connections passed on so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Passes both directions on until both have ended.
async fn pass_on(mut client: TcpStream, mut server: TcpStream, delay: &AtomicU64) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.split(), server.split());
    let asked = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            let delay = delay.load(Ordering::SeqCst);
            if delay > 0 {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            if to_server.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
        // Either side may have gone already.
        let _ = to_server.shutdown().await;
    };
    let answered = async {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(asked, answered);
}
