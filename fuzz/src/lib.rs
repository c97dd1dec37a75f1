//! What the targets of whole answer paths drive: the daemon's own rules and services, without sockets and without a database. Each
//! takes the bytes of an input apart into steps, and panics when something comes out that must not.
pub mod dhcp;
pub mod tftp;

/// Bytes that are taken from the front.
#[derive(Clone, Copy)]
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}
