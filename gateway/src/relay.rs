//! A logged-in session: bytes go both ways until one side ends it or it is killed.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;

use crate::downstream::Downstream;
use crate::session::Kill;

const PIECE: usize = 32 * 1024;

/// Runs the session to its end. `touch` is called for each piece that moves.
pub(crate) async fn relay<U>(
    client: Downstream,
    upstream: U,
    kills: &mut mpsc::UnboundedReceiver<Kill>,
    touch: impl Fn(),
) where
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (mut client_read, mut client_write) = split(client);
    let (mut upstream_read, mut upstream_write) = split(upstream);
    let mut kill = {
        let up = async {
            let moved = pump(&mut client_read, &mut upstream_write, &touch).await;
            let _ = upstream_write.shutdown().await;
            if moved.is_ok() {
                // The client ended its half only; what the upstream still has to say goes on.
                std::future::pending::<()>().await;
            }
        };
        let down = pump(&mut upstream_read, &mut client_write, &touch);
        tokio::select! {
            _ = down => None,
            () = up => None,
            kill = kills.recv() => kill,
        }
    };
    while kill == Some(Kill::HalfOpen) {
        // The upstream stays too: to it the client merely says nothing.
        kill = tokio::select! {
            () = hold(&mut client_read) => break,
            next = kills.recv() => next,
        };
    }
    let client = client_read.unsplit(client_write);
    end(client, kill).await;
    drop((upstream_read, upstream_write));
}

async fn end(client: Downstream, kill: Option<Kill>) {
    match kill {
        None | Some(Kill::Fin) => client.finish(&[]).await,
        Some(Kill::Reset) => client.reset(),
        Some(Kill::Cut | Kill::HalfOpen) => client.cut(),
    }
}

/// Reads and drops, so that the end of the client is noticed.
async fn hold(client: &mut ReadHalf<Downstream>) {
    let mut buffer = [0_u8; 4096];
    while matches!(client.read(&mut buffer).await, Ok(count) if count > 0) {}
}

async fn pump<R, W>(
    from: &mut ReadHalf<R>,
    to: &mut WriteHalf<W>,
    touch: &impl Fn(),
) -> io::Result<()>
where
    R: AsyncRead,
    W: AsyncWrite,
{
    let mut buffer = vec![0_u8; PIECE];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        touch();
        to.write_all(&buffer[..count]).await?;
        to.flush().await?;
    }
}
