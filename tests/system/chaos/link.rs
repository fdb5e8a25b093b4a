//! A wire between the programs and one server, which can be cut and stalled.
//! Everything the programs say to Postgres, RabbitMQ and S3 goes through one. What must stay true: an open wire passes
//! every byte on unchanged, so that whatever is lost was lost by the fault.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What a wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Open,
    /// Connections are broken and refused.
    Cut,
    /// Connections stay, and nothing comes through.
    Stalled,
}

/// Where a wire leads.
#[derive(Clone, Debug)]
pub(super) enum Far {
    Tcp(u16),
    Socket(PathBuf),
}

/// A wire; it ends with the run.
pub(super) struct Link {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    wire: watch::Sender<Wire>,
}

impl Link {
    pub(super) async fn lay(name: &'static str, far: Far) -> Link {
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

    pub(super) fn set(&self, wire: Wire) {
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
    wire: watch::Receiver<Wire>,
) -> io::Result<()> {
    let (near_out, near_in) = tokio::io::split(near);
    let (far_out, far_in) = tokio::io::split(far);
    // whichever side ends, both do: a half-open connection is not what is tried here
    tokio::select! {
        ended = pump(near_out, far_in, wire.clone()) => ended,
        ended = pump(far_out, near_in, wire) => ended,
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut wire: watch::Receiver<Wire>,
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
        to.write_all(&bytes[..read]).await?;
    }
}
