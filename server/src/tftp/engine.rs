//! What moves the datagrams of running transfers: a few threads, each with thousands of sockets in one epoll. A task for each
//! transfer would do, and did; this halves the system calls for a block, which is all that a transfer costs.
use super::{
    desk::State,
    socket,
    transfer::{Action, End, Transfer},
};
use nix::{
    errno::Errno,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        eventfd::{EfdFlags, EventFd},
    },
};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    error::Error,
    io,
    net::UdpSocket,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio_util::task::TaskTracker;

/// What transfers get to finish in when the daemon stops.
const GRACE: Duration = Duration::from_secs(10);
/// One thread fills a link of several Gbit/s, and boot programs are small.
const MOST_THREADS: usize = 4;
/// How many sockets are looked at before the clock is.
const EVENTS: usize = 256;
/// The wake-up's place among the sockets' numbers.
const WAKE: u64 = u64::MAX;

/// A transfer that is to begin.
pub(super) struct Job {
    pub(super) socket: UdpSocket,
    pub(super) transfer: Transfer,
    pub(super) first: Action,
    pub(super) state: Arc<State>,
    /// Called once, at the end.
    pub(super) done: Done,
}

/// Takes what became of a transfer.
pub(super) type Done = Box<dyn FnOnce(&Transfer, Ended) + Send>;

/// How a transfer ended, here.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself.
    Of(End),
    /// The client began anew.
    Replaced,
    /// The daemon stopped.
    Stopped,
}

/// The threads. They end when this is dropped, and their transfers have.
#[derive(Debug)]
pub(super) struct Engine {
    queues: Vec<Arc<Queue>>,
    next: AtomicUsize,
}

struct Queue {
    new: Mutex<Vec<Job>>,
    wake: EventFd,
    /// A transfer was replaced, or its client has asked again.
    look: AtomicBool,
    stopping: AtomicBool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("stopping", &self.stopping).finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts the threads; the tracker waits for their end.
    pub(super) fn start(tasks: &TaskTracker) -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let mut engine = Self { queues: Vec::with_capacity(count), next: AtomicUsize::new(0) };
        for _ in 0..count {
            let queue = Arc::new(Queue {
                new: Mutex::default(),
                wake: EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?,
                look: AtomicBool::new(false),
                stopping: AtomicBool::new(false),
            });
            let worker = Worker::new(queue.clone())?;
            let token = tasks.token();
            thread::Builder::new().name("tftp".to_owned()).spawn(move || {
                worker.run();
                drop(token);
            })?;
            engine.queues.push(queue);
        }
        Ok(engine)
    }

    /// Hands a transfer to one of the threads.
    pub(super) fn begin(&self, job: Job) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.queues.len().max(1);
        let Some(queue) = self.queues.get(turn) else { return };
        queue.lock().push(job);
        queue.wake();
    }

    /// Has the transfers end that the listener marked as replaced, and those answer whose clients asked again.
    pub(super) fn look(&self) {
        for queue in &self.queues {
            queue.look.store(true, Ordering::Release);
            queue.wake();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for queue in &self.queues {
            queue.stopping.store(true, Ordering::Release);
            queue.wake();
        }
    }
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Job>> {
        self.new.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // It can only fail when it is awake already: its counter is full.
        let _ = self.wake.write(1);
    }
}

/// A transfer under way.
struct Active {
    job: Job,
    /// Tells it from those that had its place before.
    number: u64,
    /// When it will be looked at in any case: not after its deadline.
    looked_at: Instant,
    /// Windows go to the kernel as one.
    segmented: bool,
}

/// When, which place, whose number.
type Timer = (Instant, usize, u64);

struct Worker {
    queue: Arc<Queue>,
    epoll: Epoll,
    places: Vec<Option<Active>>,
    free: Vec<usize>,
    begun: u64,
    timers: BinaryHeap<Reverse<Timer>>,
    out: Vec<u8>,
    inbox: Vec<u8>,
}

impl Worker {
    fn new(queue: Arc<Queue>) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&queue.wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let (places, free, timers) = (Vec::new(), Vec::new(), BinaryHeap::new());
        Ok(Self { queue, epoll, places, free, begun: 0, timers, out: Vec::new(), inbox: vec![0; 2048] })
    }

    fn run(mut self) {
        let mut events = [EpollEvent::empty(); EVENTS];
        let mut stops_at = None;
        loop {
            let count = match self.epoll.wait(&mut events, self.until_next()) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => {
                    tracing::error!(error = &error as &dyn Error, "TFTP transfers cannot be waited for");
                    return;
                }
            };
            for event in events.get(..count).unwrap_or_default() {
                match event.data() {
                    WAKE => self.woken(),
                    place => usize::try_from(place).into_iter().for_each(|place| self.readable(place)),
                }
            }
            // Places that were left are taken again here, where no event of their last owner is waiting.
            let new = std::mem::take(&mut *self.queue.lock());
            new.into_iter().for_each(|job| self.begin(job));
            let now = Instant::now();
            self.timeouts(now);
            if self.queue.stopping.load(Ordering::Acquire) {
                let end = *stops_at.get_or_insert(now + GRACE);
                self.timers.push(Reverse((end, usize::MAX, 0)));
                if now >= end {
                    (0..self.places.len()).for_each(|place| self.end(place, Ended::Stopped));
                }
                if self.free.len() == self.places.len() {
                    return;
                }
            }
        }
    }

    fn until_next(&self) -> EpollTimeout {
        let Some(Reverse((at, ..))) = self.timers.peek() else { return EpollTimeout::NONE };
        // Rounded up: not to be woken again and again within the last millisecond.
        let wait = at.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
        EpollTimeout::try_from(wait).unwrap_or(EpollTimeout::MAX)
    }

    fn woken(&mut self) {
        let _ = self.queue.wake.read();
        if !self.queue.look.swap(false, Ordering::AcqRel) {
            return;
        }
        for place in 0..self.places.len() {
            if self.is_replaced(place) {
                self.end(place, Ended::Replaced);
            } else {
                self.asked_again(place);
            }
        }
    }

    fn asked_again(&mut self, place: usize) {
        let Some(active) = self.places.get_mut(place).and_then(Option::as_mut) else { return };
        if active.job.state.asked_again.swap(false, Ordering::Relaxed) {
            let action = active.job.transfer.on_request_again(Instant::now());
            self.act(place, action);
        }
    }

    fn is_replaced(&self, place: usize) -> bool {
        let replaced = |active: &Active| active.job.state.replaced.load(Ordering::Relaxed);
        self.places.get(place).and_then(Option::as_ref).is_some_and(replaced)
    }

    fn begin(&mut self, job: Job) {
        let place = self.free.pop().unwrap_or(self.places.len());
        let event = EpollEvent::new(EpollFlags::EPOLLIN, u64::try_from(place).unwrap_or(WAKE));
        let watched = self.epoll.add(&job.socket, event);
        self.begun += 1;
        let first = job.first.clone();
        let active = Active { number: self.begun, looked_at: job.transfer.deadline(), segmented: true, job };
        self.timers.push(Reverse((active.looked_at, place, active.number)));
        match self.places.get_mut(place) {
            Some(slot) => *slot = Some(active),
            None => self.places.push(Some(active)),
        }
        match watched {
            // Meanwhile, while it waited here.
            Ok(()) if self.is_replaced(place) => self.end(place, Ended::Replaced),
            Ok(()) => self.act(place, first),
            Err(error) => {
                tracing::warn!(error = &error as &dyn Error, "a TFTP transfer cannot be watched");
                self.end(place, Ended::Stopped);
            }
        }
    }

    fn readable(&mut self, place: usize) {
        let Some(active) = self.places.get_mut(place).and_then(Option::as_mut) else { return };
        let action = match active.job.socket.recv(&mut self.inbox) {
            Ok(len) => {
                let packet = self.inbox.get(..len).unwrap_or_default();
                active.job.transfer.on_packet(packet, Instant::now())
            }
            Err(error) => failed(&error),
        };
        if !active.job.state.progressed.load(Ordering::Relaxed) && active.job.transfer.has_progressed() {
            active.job.state.progressed.store(true, Ordering::Relaxed);
        }
        self.act(place, action);
    }

    fn timeouts(&mut self, now: Instant) {
        while let Some(Reverse((at, place, number))) =
            self.timers.peek().copied().filter(|next| next.0.0 <= now)
        {
            self.timers.pop();
            let Some(active) = self.places.get_mut(place).and_then(Option::as_mut) else { continue };
            // Of a transfer that was here before, or looked at earlier than this since.
            if active.number != number || active.looked_at != at {
                continue;
            }
            let action = active.job.transfer.on_timeout(now);
            self.act(place, action);
            self.watch(place);
        }
    }

    /// Sees to it that a transfer is looked at when its deadline comes. Deadlines move on with each packet; the clock that is
    /// set stays, and is set anew when it strikes.
    fn watch(&mut self, place: usize) {
        let Some(active) = self.places.get_mut(place).and_then(Option::as_mut) else { return };
        active.looked_at = active.job.transfer.deadline();
        self.timers.push(Reverse((active.looked_at, place, active.number)));
    }

    fn act(&mut self, place: usize, action: Action) {
        let Some(active) = self.places.get_mut(place).and_then(Option::as_mut) else { return };
        match action {
            Action::Wait => {}
            Action::End(end) => return self.end(place, Ended::Of(end)),
            Action::Send(range) => {
                let Active { job, segmented, .. } = active;
                if let Err(error) = socket::send(&job.socket, &job.transfer, range, &mut self.out, segmented)
                    && let Action::End(end) = failed(&error)
                {
                    return self.end(place, Ended::Of(end));
                }
            }
        }
        if active.job.transfer.deadline() < active.looked_at {
            self.watch(place);
        }
    }

    fn end(&mut self, place: usize, how: Ended) {
        let Some(active) = self.places.get_mut(place).and_then(Option::take) else { return };
        self.free.push(place);
        (active.job.done)(&active.job.transfer, how);
    }
}

/// ICMP's word that the client closed its port ends a transfer. Whatever else is lost like what is lost on the wire: the
/// transfer's timer sees to it.
fn failed(error: &io::Error) -> Action {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        return Action::End(End::AbortedByClient { code: 0, message: "its port is closed".to_owned() });
    }
    if error.kind() != io::ErrorKind::WouldBlock {
        tracing::trace!(error = error as &dyn Error, "a TFTP packet was lost here");
    }
    Action::Wait
}
