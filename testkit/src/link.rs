//! A wire to a server, which can be cut, stalled, and made to swallow what is said.
//! In chaos everything that programs say to Postgres, RabbitMQ and S3 goes through one. What must stay true: an open wire
//! passes every byte on unchanged, so that whatever is lost was lost by the fault.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What a wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// All is well.
    Open,
    /// Connections are broken and refused.
    Cut,
    /// Connections stay, and nothing comes through.
    Stalled,
    /// Nothing comes through, nobody is told, and what was said meanwhile is gone: connections of that time stay silent
    /// for ever, as they do when a firewall has forgotten them.
    Swallowing,
}

/// Where a wire leads.
#[derive(Clone, Debug)]
pub enum Far {
    /// To this port of the loopback.
    Tcp(u16),
    /// To this socket.
    Socket(PathBuf),
}

/// A wire; it ends with the run.
pub struct Link {
    /// Of the server.
    pub name: &'static str,
    /// Where to dial instead of the server.
    pub address: SocketAddr,
    wire: watch::Sender<Wire>,
}

impl Link {
    /// A wire to `far`, open.
    pub async fn lay(name: &'static str, far: Far) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wire, watched) = watch::channel(Wire::Open);
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                if *watched.borrow() != Wire::Cut {
                    tokio::spawn(connect(near, far.clone(), watched.clone()));
                }
            }
        });
        Link {
            name,
            address,
            wire,
        }
    }

    /// From now on it does this, to all connections.
    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn connect(near: TcpStream, far: Far, wire: watch::Receiver<Wire>) -> io::Result<()> {
    let _ = near.set_nodelay(true);
    match far {
        Far::Tcp(port) => {
            let far = TcpStream::connect(("127.0.0.1", port)).await?;
            let _ = far.set_nodelay(true);
            join(near, far, wire).await
        }
        Far::Socket(path) => join(near, UnixStream::connect(path).await?, wire).await,
    }
}

async fn join(
    near: impl AsyncRead + AsyncWrite + Unpin,
    far: impl AsyncRead + AsyncWrite + Unpin,
    mut wire: watch::Receiver<Wire>,
) -> io::Result<()> {
    let (near_out, mut near_in) = tokio::io::split(near);
    let (far_out, mut far_in) = tokio::io::split(far);
    // whichever side ends, both do, unless nothing comes through
    let silent = Arc::new(AtomicBool::new(*wire.borrow() == Wire::Swallowing));
    let ended = tokio::select! {
        ended = pump(near_out, &mut far_in, wire.clone(), &silent) => ended,
        ended = pump(far_out, &mut near_in, wire.clone(), &silent) => ended,
    };
    if silent.load(Ordering::Relaxed) {
        let _ = wire.wait_for(|wire| *wire != Wire::Swallowing).await;
    }
    ended
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    to: &mut (impl AsyncWrite + Unpin),
    mut wire: watch::Receiver<Wire>,
    silent: &AtomicBool,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read?,
            changed = wire.wait_for(|wire| *wire == Wire::Cut) => {
                drop(changed);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        };
        let state = *wire
            .wait_for(|wire| *wire != Wire::Stalled)
            .await
            .map_err(io::Error::other)?;
        if read == 0 || state == Wire::Cut {
            return Ok(());
        }
        if state == Wire::Swallowing {
            silent.store(true, Ordering::Relaxed);
        }
        if !silent.load(Ordering::Relaxed) {
            to.write_all(&bytes[..read]).await?;
        }
    }
}
