//! The client's side of a connection, with or without TLS, and how it is ended.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// How long the gateway goes on reading after its last word, so that unread bytes do not turn the end into a reset
/// that makes the client lose the error.
const LINGER: Duration = Duration::from_secs(2);

pub(crate) enum Downstream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Downstream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Sends `last_words` and ends the connection in an orderly way: TLS `close_notify`, then FIN.
    pub(crate) async fn finish(mut self, last_words: &[u8]) {
        let end = async {
            self.write_all(last_words).await?;
            self.flush().await?;
            self.shutdown().await?;
            let mut rest = [0_u8; 4096];
            while self.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        // Whoever neither reads nor closes is not waited for.
        let _ = tokio::time::timeout(LINGER, end).await;
    }

    /// Ends the connection with a TCP reset.
    pub(crate) fn reset(self) {
        let _ = self.tcp().set_zero_linger();
    }

    /// Ends the TCP connection without TLS's own goodbye.
    pub(crate) fn cut(self) {
        drop(self);
    }
}

impl AsyncRead for Downstream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Downstream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
