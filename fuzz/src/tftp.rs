//! The whole of TFTP: datagrams of several clients in, datagrams out, while time passes. What is done here between the desk and the
//! transfers is what the engine does with sockets.
//!
//! An input is a row of steps: a byte that says who it is (low three bits) and what happens, then:
//!
//! | byte / 8 | what | what follows |
//! |---|---|---|
//! | 0 to 7 | a datagram at the port | its length, one byte; its bytes |
//! | 8 to 11 | a request for a file | the file, block size, window, options; one byte each |
//! | 12 to 19 | a datagram in the client's transfer | its length, one byte; its bytes |
//! | 20 to 27 | the ACK that is due | how many packets before it, one byte |
//! | 28 to 31 | time passes | tenths of seconds, one byte |
use super::Input;
use pilotlight::tftp::{
    codec::{self, Packet, ReadRequest},
    desk::{self, Admitted, Desk, Refused, State},
    listener::{FileError, Outcome, Refusal},
    transfer::{Action, Caps, Content, Limits, Transfer},
};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock, atomic::Ordering},
    time::{Duration, Instant},
};

const MOST_STEPS: usize = 256;

/// So many transfers there may be, and so many from one address.
const MOST: usize = 4;
const MOST_EACH: usize = 2;

/// What an interface of 1500 bytes takes.
const LARGEST_BLOCK: u16 = 1468;

struct Active {
    transfer: Transfer,
    state: Arc<State>,
    content: Content,
    granted: Granted,
    started: Instant,
    /// The newest packet that was sent.
    newest: u64,
}

/// What the client can take, as it said.
struct Granted {
    block: usize,
    window: u64,
}

struct Server {
    desk: Desk,
    active: BTreeMap<SocketAddr, Active>,
    now: Instant,
    /// Datagrams at the port, and what was recorded of them.
    arrived: usize,
    recorded: usize,
    out: Vec<u8>,
}

/// Does what the input says.
pub fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut server = Server {
        desk: Desk::new(MOST, MOST_EACH),
        active: BTreeMap::new(),
        now: Instant::now(),
        arrived: 0,
        recorded: 0,
        out: Vec::new(),
    };
    for _ in 0..MOST_STEPS {
        if server.step(&mut input).is_none() {
            break;
        }
        server.holds();
    }
    // Whatever was begun ends by itself.
    server.passes(Limits::default().lifetime + Duration::from_secs(1));
    assert!(server.active.is_empty() && server.desk.is_empty(), "a transfer outlives its time");
    assert_eq!(server.arrived, server.recorded, "each datagram has one outcome");
}

impl Server {
    fn step(&mut self, input: &mut Input<'_>) -> Option<()> {
        let first = input.byte()?;
        // Three clients behind one address, and others.
        let ip = Ipv4Addr::new(10, 77, 0, if first & 7 < 3 { 100 } else { 100 + first % 8 });
        let peer = SocketAddr::from((ip, 2000 + u16::from(first & 7)));
        match first >> 3 {
            0..=7 => {
                let len = input.byte()?;
                self.arrives(input.take(len.into())?, peer);
            }
            8..=11 => {
                let &[file, block, window, options] = input.take(4)?.first_chunk()?;
                let request = ReadRequest {
                    name: NAMES[usize::from(file) % NAMES.len()].into(),
                    block_size: (options & 1 != 0).then(|| 8 + u16::from(block) * 8),
                    window_size: (options & 2 != 0).then_some(window.into()),
                    transfer_size: options & 4 != 0,
                    timeout: (options & 8 != 0).then_some(1 + block % 8),
                };
                self.arrives(&request.encode(), peer);
            }
            12..=19 => {
                let len = input.byte()?;
                let packet = input.take(len.into())?;
                self.goes_on(peer, |transfer, _, now| transfer.on_packet(packet, now));
            }
            20..=27 => {
                let before = u64::from(input.byte()? % 8);
                self.goes_on(peer, |transfer, newest, now| {
                    let [.., a, b] = newest.saturating_sub(before).to_be_bytes();
                    transfer.on_packet(&[0, 4, a, b], now)
                });
            }
            _ => {
                let tenths = input.byte()?;
                self.passes(Duration::from_millis(u64::from(tenths) * 100));
            }
        }
        Some(())
    }

    fn arrives(&mut self, packet: &[u8], peer: SocketAddr) {
        self.arrived += 1;
        let request = match desk::request(packet) {
            Ok(request) => request,
            Err(refused) => return self.refused(packet, refused),
        };
        let Admitted { running, replaces } = match self.desk.admit(packet, peer, self.now) {
            Ok(admitted) => admitted,
            Err(outcome) => {
                assert!(matches!(outcome, Outcome::Duplicate | Outcome::Overloaded), "{outcome:?}");
                self.recorded += 1;
                return self.comes_again(packet, peer);
            }
        };
        assert_eq!(replaces, self.active.contains_key(&peer));
        if let Some(old) = self.active.remove(&peer) {
            assert!(old.state.replaced.load(Ordering::Relaxed), "its engine is told");
            self.recorded += 1;
        }
        let content = match codec::clean_name(&request.name).map(|name| content(&name)) {
            Some(Ok(content)) => content,
            Some(Err(why)) => return self.refused(packet, Refused::file(Some(why))),
            None => return self.refused(packet, Refused::file(None)),
        };
        let limits = Limits::default().within(LARGEST_BLOCK, Caps::default());
        let (transfer, first) = Transfer::start(&request, content.clone(), limits, self.now);
        let granted = Granted {
            block: request.block_size.unwrap_or(512).min(LARGEST_BLOCK).into(),
            window: request.window_size.unwrap_or(1).clamp(1, limits.window_size).into(),
        };
        let state = running.state.clone();
        self.desk.begin(peer, running);
        self.active.insert(peer, Active { transfer, state, content, granted, started: self.now, newest: 0 });
        self.act(peer, first);
    }

    /// Who is known to have asked before, and is not known to have heard us, may be answered once more: by its own transfer, with the
    /// OACK, which is no longer than what was asked with.
    fn comes_again(&mut self, packet: &[u8], peer: SocketAddr) {
        let Some(active) = self.active.get(&peer) else { return };
        if !active.state.asked_again.swap(false, Ordering::Relaxed) {
            return;
        }
        assert!(!active.transfer.has_progressed());
        self.out.clear();
        self.goes_on(peer, |transfer, _, now| {
            let action = transfer.on_request_again(now);
            assert!(!matches!(&action, Action::Send(range) if *range != (0..1)), "{action:?}");
            action
        });
        assert!(self.out.len() <= packet.len(), "{} for {} bytes", self.out.len(), packet.len());
    }

    fn refused(&mut self, packet: &[u8], Refused { say, outcome }: Refused) {
        self.recorded += 1;
        let Some((code, message)) = say else {
            return assert_eq!(outcome, Outcome::Malformed);
        };
        // Never an error in answer to an error, and never more than was asked with, so that nobody uses us against others.
        assert_ne!(packet.get(..2), Some(&[0, 5][..]), "{outcome:?}");
        let sent = codec::encode_error(code, message);
        assert!(sent.len() <= 64, "{message}");
        assert!(matches!(codec::parse(&sent), Ok(Packet::Error { .. })), "{message}");
        let known =
            [Refusal::NotFound, Refusal::Denied, Refusal::BadName, Refusal::Write].map(Outcome::Refused);
        assert!(outcome == Outcome::Malformed || known.contains(&outcome), "{outcome:?}");
    }

    /// Something happens to a client's transfer, if it has one.
    fn goes_on(&mut self, peer: SocketAddr, happens: impl FnOnce(&mut Transfer, u64, Instant) -> Action) {
        let Some(active) = self.active.get_mut(&peer) else { return };
        let action = happens(&mut active.transfer, active.newest, self.now);
        if active.transfer.has_progressed() {
            active.state.progressed.store(true, Ordering::Relaxed);
        }
        self.act(peer, action);
    }

    /// Each transfer is looked at when its deadline comes.
    fn passes(&mut self, time: Duration) {
        let until = self.now + time;
        // A transfer that is looked at for ever would do it here.
        for _ in 0..4096 {
            let next = self.active.iter().map(|(peer, active)| (active.transfer.deadline(), *peer)).min();
            let Some((at, peer)) = next.filter(|(at, _)| *at <= until) else { break };
            self.now = self.now.max(at);
            self.goes_on(peer, |transfer, _, now| transfer.on_timeout(now));
        }
        self.now = until;
        let late = self.active.values().filter(|active| active.transfer.deadline() <= until).count();
        assert_eq!(late, 0, "a transfer's deadline does not move on");
    }

    fn act(&mut self, peer: SocketAddr, action: Action) {
        let Some(active) = self.active.get_mut(&peer) else { return };
        match action {
            Action::Wait => {}
            Action::Send(range) => {
                assert!(
                    range.start < range.end && range.end - range.start <= active.granted.window,
                    "{range:?}"
                );
                for number in range {
                    active.transfer.packet(number, &mut self.out);
                    is_of(&self.out, number, active);
                    active.newest = active.newest.max(number);
                }
            }
            Action::End(_) => {
                if let Some(active) = self.active.remove(&peer) {
                    self.desk.forget(peer, &active.state);
                    self.recorded += 1;
                }
            }
        }
    }

    fn holds(&self) {
        assert_eq!(self.desk.len(), self.active.len());
        assert!(self.active.len() <= MOST);
        for peer in self.active.keys() {
            let from_there = self.active.keys().filter(|other| other.ip() == peer.ip()).count();
            assert!(from_there <= MOST_EACH, "{peer}");
        }
        assert_eq!(self.arrived, self.recorded + self.active.len());
        for active in self.active.values() {
            assert!(active.transfer.deadline() <= active.started + Limits::default().lifetime);
            assert!(active.transfer.acknowledged() <= (*active.content).as_ref().len() as u64);
        }
    }
}

/// The packet is the file's, at its place, and no larger than was asked for.
fn is_of(packet: &[u8], number: u64, active: &Active) {
    let content = (*active.content).as_ref();
    match codec::parse(packet) {
        Ok(Packet::Data { block, data }) => {
            let from = usize::try_from(number - 1).expect("a block's number") * active.granted.block;
            let to = content.len().min(from + active.granted.block);
            assert_eq!((block, data), (number as u16, &content[from..to]), "{number}");
        }
        Ok(Packet::OptionAck) => assert!(number == 0 && packet.len() <= 100, "{packet:?}"),
        other => panic!("{other:?}"),
    }
}

const NAMES: [&str; 8] =
    ["snponly.efi", "/snponly.efi", "empty", "exact", "big", "secret", "../etc/passwd", "none"];

fn content(name: &str) -> Result<Content, FileError> {
    static FILES: OnceLock<[Content; 4]> = OnceLock::new();
    let file = |len: usize| -> Content { Arc::new((0..len).map(|at| (at % 251) as u8).collect::<Vec<u8>>()) };
    let [small, empty, exact, big] = FILES.get_or_init(|| [file(3001), file(0), file(4096), file(200_000)]);
    match name {
        "snponly.efi" => Ok(small.clone()),
        "empty" => Ok(empty.clone()),
        "exact" => Ok(exact.clone()),
        "big" => Ok(big.clone()),
        "secret" => Err(FileError::Denied),
        _ => Err(FileError::NotFound),
    }
}
