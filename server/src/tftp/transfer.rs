//! One file on its way to one client: a pure state machine of packets and time (RFC 1350, RFC 7440).
//!
//! Packets are counted from 0, the OACK, or from 1, the first block, and on past 65,535; only the wire's
//! number goes round. A window goes out, and goes out again from the first packet that was not acknowledged
//! when the client says so or says nothing.
use super::codec::{self, Packet, ReadRequest};
use std::{
    fmt,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

#[cfg(test)]
mod tests;
mod wait;

use wait::Wait;

/// The content of a file: anything that is bytes, shared by all transfers of it.
pub type Content = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// What a client is granted, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest block, so that a packet passes unfragmented: the MTU less 32.
    pub block_size: u16,
    /// The largest window; 1 grants none.
    pub window_size: u16,
    /// How often in a row the same window is sent again at least.
    pub retries: u32,
    /// How long a client may be silent at least. A quick one is asked again that often in a second, and may be resetting its
    /// network card meanwhile.
    pub silence: Duration,
    /// The whole transfer's end, whatever the client does.
    pub lifetime: Duration,
}

/// What one firmware can take, where that is less than others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Caps {
    /// The largest block.
    pub block_size: Option<u16>,
    /// The largest window; 1 is none.
    pub window_size: Option<u16>,
}

/// RFC 2348's.
pub const LARGEST_BLOCK: u16 = 65_464;

/// A window's bytes that are surely taken by a socket's buffer as Linux makes it (net.core.wmem_default).
const WINDOW_BYTES: u32 = 128 << 10;

impl Limits {
    /// These, for a client behind an interface that takes blocks of that size, with firmware of those habits.
    pub fn within(self, largest_block: u16, caps: Caps) -> Self {
        let block_size = self.block_size.min(largest_block).min(caps.block_size.unwrap_or(LARGEST_BLOCK));
        let window_size = self.window_size.min(caps.window_size.unwrap_or(u16::MAX));
        Self { block_size, window_size, ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block_size: 1468,
            window_size: 64,
            retries: 8,
            silence: Duration::from_secs(25),
            lifetime: Duration::from_secs(15 * 60),
        }
    }
}

const NONE_NEW: u64 = u64::MAX;
/// So many timeouts in a row bring one packet each, which is enough for clients that say where they are; then it is the window.
const PROBES: u32 = 3;
/// RFC 1350: the size of a block when none was agreed.
const PLAIN_BLOCK: u16 = 512;

/// A request that comes again this soon is the network's copy: no client gives up so early.
const OF_THE_NETWORK: Duration = Duration::from_millis(100);

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send these packets: see [`Transfer::packet`].
    Send(Range<u64>),
    /// Nothing, until a packet or the deadline.
    Wait,
    /// Nothing more.
    End(End),
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The last block was acknowledged.
    Sent,
    /// The client said ERROR. After an OACK that is how firmware asks for a file's size, and no failure.
    AbortedByClient {
        /// The ERROR's number.
        code: u16,
        /// The ERROR's text.
        message: String,
    },
    /// The client fell silent, or took too long.
    TimedOut,
}

/// A transfer.
pub struct Transfer {
    content: Content,
    limits: Limits,
    block_size: u16,
    window_size: u64,
    /// The OACK's options, if there is one.
    granted: Option<Granted>,
    /// The first packet that is not acknowledged yet.
    base: u64,
    /// The first packet of the window that was not sent yet.
    next: u64,
    /// The first packet that was never sent.
    fresh: u64,
    /// The last block's number: the one that is shorter than the others.
    last: u64,
    resent: u64,
    retries: u32,
    /// When the client was heard last of something new.
    heard_at: Instant,
    /// How many ACKs may still come that say nothing new: clients such as EDK2 send one for each packet behind a gap, and for
    /// each that came twice. To answer those with a window would bring as many again, for ever: the Sorcerer's Apprentice
    /// (RFC 1123 section 4.2.3.1), by the window.
    echoes: u64,
    /// The first packet of those that were sent at `sent_at` for the first time: when it is acknowledged says how far the client
    /// is (Karn: that of one that was sent twice does not). [`NONE_NEW`] if there is none.
    first_new: u64,
    wait: Wait,
    sent_at: Instant,
    ends_at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Granted {
    transfer_size: Option<u64>,
    block_size: Option<u16>,
    timeout: Option<u8>,
    window_size: Option<u16>,
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("base", &self.base)
            .field("next", &self.next)
            .field("last", &self.last)
            .finish()
    }
}

impl Transfer {
    /// Begins, and says what to send first. Never grants more than was asked.
    pub fn start(request: &ReadRequest, content: Content, limits: Limits, now: Instant) -> (Self, Action) {
        let size = (*content).as_ref().len() as u64;
        let block_size = request.block_size.map(|asked| asked.min(limits.block_size.max(8)));
        let most = u16::try_from(WINDOW_BYTES / u32::from(block_size.unwrap_or(PLAIN_BLOCK)));
        let most = most.unwrap_or(u16::MAX).clamp(1, limits.window_size.max(1));
        let window_size = request.window_size.filter(|_| limits.window_size > 1).map(|asked| asked.min(most));
        let granted = Granted {
            transfer_size: request.transfer_size.then_some(size),
            block_size,
            timeout: request.timeout,
            window_size,
        };
        let any = request.transfer_size
            || block_size.is_some()
            || request.timeout.is_some()
            || window_size.is_some();
        let base = u64::from(!any);
        let block_size = block_size.unwrap_or(PLAIN_BLOCK);
        let mut transfer = Self {
            content,
            limits,
            block_size,
            window_size: window_size.unwrap_or(1).into(),
            granted: any.then_some(granted),
            base,
            next: base,
            fresh: base,
            last: size / u64::from(block_size) + 1,
            resent: 0,
            retries: 0,
            heard_at: now,
            echoes: 0,
            first_new: base,
            wait: Wait::new(request.timeout.map(|seconds| Duration::from_secs(seconds.into()))),
            sent_at: now,
            ends_at: now + limits.lifetime,
        };
        let action = transfer.send_window(now);
        (transfer, action)
    }

    /// Takes a packet from the client.
    pub fn on_packet(&mut self, bytes: &[u8], now: Instant) -> Action {
        match codec::parse(bytes) {
            Ok(Packet::Ack(number)) => self.on_ack(number, now),
            Ok(Packet::Error { code, message }) => Action::End(End::AbortedByClient { code, message }),
            // Neither has a meaning here; the client's own timer, or ours, goes on.
            Ok(_) | Err(_) => self.wait_or_end(now),
        }
    }

    /// The client has sent its request once more: it has heard nothing yet. The OACK goes out again at once, and not when its time has
    /// come, which is the longer the oftener it was lost. It is no longer than the request. The first block of a file is, so that one
    /// waits for its time: nobody is to have us send others more than they sent us.
    pub fn on_request_again(&mut self, now: Instant) -> Action {
        let copy = now.saturating_duration_since(self.sent_at) < OF_THE_NETWORK;
        if self.base > 0 || copy {
            return self.wait_or_end(now);
        }
        self.wait_or_end_then(now, Self::send_last_again)
    }

    /// To be called when [`Transfer::deadline`] has come.
    pub fn on_timeout(&mut self, now: Instant) -> Action {
        if now < self.deadline() {
            return Action::Wait;
        }
        let silent = now.saturating_duration_since(self.heard_at) >= self.limits.silence;
        if now >= self.ends_at || silent && self.retries >= self.limits.retries {
            return Action::End(End::TimedOut);
        }
        self.retries += 1;
        self.wait.was_too_short();
        // What was lost is mostly the window's end, or its ACK. The last packet alone has a client say where it is, whether it
        // expects that one or not; and one that is only slow is not sent whole windows twice.
        if self.retries <= PROBES { self.send_last_again(now) } else { self.send_window_again(now) }
    }

    /// When to call [`Transfer::on_timeout`].
    pub fn deadline(&self) -> Instant {
        (self.sent_at + self.wait.now()).min(self.ends_at)
    }

    /// Writes one of the packets of an [`Action::Send`] over `out`.
    pub fn packet(&self, number: u64, out: &mut Vec<u8>) {
        out.clear();
        self.append(number, out);
    }

    /// The size in bytes of every packet of a window but the file's last.
    pub fn packet_size(&self) -> u16 {
        self.block_size.saturating_add(4)
    }

    /// Writes one of the packets of an [`Action::Send`] behind what is in `out`.
    pub fn append(&self, number: u64, out: &mut Vec<u8>) {
        match self.granted {
            Some(Granted { transfer_size, block_size, timeout, window_size }) if number == 0 => {
                codec::write_option_ack(out, transfer_size, block_size, timeout, window_size);
            }
            _ => codec::write_data(out, number, self.block(number)),
        }
    }

    /// How many bytes of the file the client has acknowledged.
    pub fn acknowledged(&self) -> u64 {
        let size = (*self.content).as_ref().len() as u64;
        (self.base.saturating_sub(1) * u64::from(self.block_size)).min(size)
    }

    /// How many packets were sent more than once.
    pub fn resent(&self) -> u64 {
        self.resent
    }

    /// Whether the client has acknowledged anything yet.
    pub fn has_progressed(&self) -> bool {
        self.base > u64::from(self.granted.is_none())
    }

    fn block(&self, number: u64) -> &[u8] {
        let bytes = (*self.content).as_ref();
        let start =
            usize::try_from(number.saturating_sub(1) * u64::from(self.block_size)).unwrap_or(usize::MAX);
        let rest = bytes.get(start..).unwrap_or_default();
        rest.get(..self.block_size.into()).unwrap_or(rest)
    }

    fn on_ack(&mut self, number: u16, now: Instant) -> Action {
        // How many packets of the window it acknowledges, in the wire's numbers: 0 is the packet before the
        // window.
        let [.., high, low] = self.base.to_be_bytes();
        let taken = u64::from(number.wrapping_sub(u16::from_be_bytes([high, low]).wrapping_sub(1)));
        if taken == 0 {
            return self.on_ack_of_nothing(now);
        }
        if taken > self.next - self.base {
            return self.wait_or_end(now); // of an earlier window, or of what was never sent
        }
        let can_answer = self.can_answer(now);
        self.base += taken;
        if self.base > self.first_new {
            self.wait.measured(now.saturating_duration_since(self.sent_at));
            self.echoes = 0; // those of what was sent before have come before
        } else if self.retries == 0 {
            self.wait.was_enough();
        }
        (self.retries, self.heard_at) = (0, now);
        if self.base > self.last {
            return Action::End(End::Sent);
        }
        // An ACK within the window says that the block after it was lost (RFC 7440 section 4), or that a wire brought one twice.
        // That is said for each such packet: what can be no answer to the last ones sent has been answered.
        if self.base == self.next || !can_answer {
            self.wait_or_end_then(now, Self::send_on)
        } else {
            self.wait_or_end_then(now, Self::send_window_again)
        }
    }

    /// The packet before the window is acknowledged once more. With blocks one by one that is to be ignored:
    /// answering it would send every block of the rest twice (RFC 1123). In a window it says that the first was lost, if it
    /// can be an answer to this window at all: not if it is an echo, or comes sooner than any answer ever did.
    fn on_ack_of_nothing(&mut self, now: Instant) -> Action {
        if self.window_size == 1 || !self.has_progressed() || !self.can_answer(now) {
            return self.wait_or_end(now);
        }
        if self.echoes > 0 {
            self.echoes -= 1;
            return self.wait_or_end(now);
        }
        self.wait_or_end_then(now, Self::send_window_again)
    }

    /// Whether what comes now can be an answer to what was sent last. To a client that was silent for a whole wait it is one, however
    /// soon it comes: where a crowded network is empty again, each answer is sooner than any was before.
    fn can_answer(&self, now: Instant) -> bool {
        self.retries > 0 || now.saturating_duration_since(self.sent_at) >= self.wait.soonest()
    }

    fn wait_or_end(&mut self, now: Instant) -> Action {
        self.wait_or_end_then(now, |_, _| Action::Wait)
    }

    /// A client that keeps a transfer alive for ever does not get that long.
    fn wait_or_end_then(&mut self, now: Instant, then: impl FnOnce(&mut Self, Instant) -> Action) -> Action {
        if now >= self.ends_at { Action::End(End::TimedOut) } else { then(self, now) }
    }

    fn send_last_again(&mut self, now: Instant) -> Action {
        self.resent += 1;
        // Whatever was to be expected would have come by now.
        (self.sent_at, self.first_new, self.echoes) = (now, NONE_NEW, 0);
        Action::Send(self.next - 1..self.next)
    }

    /// What of the window was not sent yet.
    fn send_on(&mut self, now: Instant) -> Action {
        if self.next > self.last || self.next >= self.base + self.window_size {
            return Action::Wait;
        }
        self.send_window(now)
    }

    /// What is not acknowledged, and the rest of the window with it.
    fn send_window_again(&mut self, now: Instant) -> Action {
        self.echoes = self.next - self.base;
        self.next = self.base;
        self.send_window(now)
    }

    fn send_window(&mut self, now: Instant) -> Action {
        let start = self.next;
        // The OACK goes alone: its own ACK, of 0, agrees to the window.
        let end = if self.base == 0 { 1 } else { (self.base + self.window_size).min(self.last + 1) };
        self.resent += self.fresh.min(end).saturating_sub(start);
        self.first_new = self.fresh;
        self.next = end;
        self.fresh = self.fresh.max(end);
        self.sent_at = now;
        Action::Send(start..end)
    }
}
