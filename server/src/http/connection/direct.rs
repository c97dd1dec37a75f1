//! A TCP stream that copies no image: what hyper writes from the map of a file is sent by the kernel from its page cache
//! (sendfile(2)). hyper hands over what it was given, so where a slice lies in memory says of which file it is.
use crate::service::content::Content;
use rustix::{
    fs::sendfile,
    io::Errno,
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    sync::Semaphore,
};

/// The file that a connection's answers are from, as far as the connection is told: an extension of each request.
#[derive(Debug, Clone, Default)]
pub struct Outgoing(Arc<Mutex<Option<Content>>>);

impl Outgoing {
    /// The next answer is from this file. What is still to be sent of another one is copied.
    pub fn is(&self, content: Content) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(content);
    }

    fn now(&self) -> Option<Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The connections that there are. Few of them find what they send in the processor's cache, and then a copy costs less than to
/// count the pages; many do not.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    pub(super) places: Arc<Semaphore>,
    /// With fewer free places than this it is large.
    pub(super) free: usize,
}

impl Crowd {
    fn is_large(&self) -> bool {
        self.places.available_permits() < self.free
    }
}

/// How slices are to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As they are.
    Copied,
    /// The first so many as they are, and soon: the file's bytes follow them.
    Lead(usize),
    /// The first with bytes in it is this part of the file: offset and length, in bytes.
    File(u64, usize),
}

fn way(content: &Content, slices: &[IoSlice<'_>]) -> Way {
    // Nothing of what is empty is to be sent, and hyper has such slices.
    let of_file = slices
        .iter()
        .enumerate()
        .filter(|(_, slice)| !slice.is_empty())
        .find_map(|(index, slice)| content.position_of(slice).map(|offset| (index, offset, slice.len())));
    match of_file {
        None => Way::Copied,
        Some((index, offset, len)) if slices.iter().take(index).all(|slice| slice.is_empty()) => {
            Way::File(offset, len)
        }
        Some((index, ..)) => Way::Lead(index),
    }
}

/// The stream.
#[derive(Debug)]
pub(super) struct Direct {
    stream: TcpStream,
    outgoing: Outgoing,
    crowd: Crowd,
    /// The file system cannot, or the kernel will not.
    refused: bool,
}

impl Direct {
    pub(super) const fn new(stream: TcpStream, outgoing: Outgoing, crowd: Crowd) -> Self {
        Self { stream, outgoing, crowd, refused: false }
    }

    /// What its answers are from.
    pub(super) fn outgoing(&self) -> Outgoing {
        self.outgoing.clone()
    }

    /// Does something that writes when the socket has room.
    fn poll_when_writable(
        &self,
        context: &mut Context<'_>,
        write: impl Fn() -> Result<usize, Errno>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_io(Interest::WRITABLE, || Ok(write()?)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                wrote => return Poll::Ready(wrote),
            }
        }
    }
}

impl AsyncRead for Direct {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Direct {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.refused
            && self.crowd.is_large()
            && let Some(content) = self.outgoing.now()
        {
            match way(&content, slices) {
                Way::Copied => {}
                Way::Lead(count) => {
                    let lead = slices.get(..count).unwrap_or_default();
                    // In one packet with what follows.
                    let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
                    return self.poll_when_writable(context, || {
                        sendmsg(&self.stream, lead, &mut SendAncillaryBuffer::default(), flags)
                    });
                }
                Way::File(offset, len) => {
                    let sent = self.poll_when_writable(context, || {
                        sendfile(&self.stream, content.file(), Some(&mut { offset }), len)
                    });
                    match sent {
                        Poll::Ready(Err(error)) if refuses(&error) => self.refused = true,
                        sent => return sent,
                    }
                }
            }
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Whether that is no error of this connection: sendfile is not for every file system.
fn refuses(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM))
}

#[cfg(test)]
mod tests;
