//! A TCP proxy that can be cut, in a server's place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

pub struct Proxy {
    pub port: u16,
    open: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
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
        let token = CancellationToken::new();
        let shared = Arc::new(std::sync::Mutex::new(token.clone()));
        let (open_here, accepted_here, shared_here) = (open.clone(), accepted.clone(), shared.clone());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if !open_here.load(Ordering::SeqCst) {
                    continue;
                }
                accepted_here.fetch_add(1, Ordering::SeqCst);
                let cut = shared_here.lock().unwrap().clone();
                tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await {
                        cut.run_until_cancelled(tokio::io::copy_bidirectional(&mut client, &mut server)).await;
                    }
                });
            }
        });
        Self { port, open, accepted, connections: std::sync::Mutex::new(token), shared }
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
