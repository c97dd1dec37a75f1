//! The one writer: everything that is written waits here a moment, and is committed together.
//!
//! A commit costs a disk flush however much is in it, so what comes while one is under way goes with the next, and under load the
//! next waits a moment for more. Each caller is answered after the commit that holds its writes: what was acknowledged is durable.
//! Callers' writes are atomic: all or none.
mod transaction;

use super::{
    AuditRow, BootRow, ConsoleRow, Db, Lease6Row, LeaseRow, NewBootToken, NewEvent, RevisionRow, ServedRow,
    SessionRow, StoreError, TokenRow, TokenUse, UserRow, WebhookWrite,
};
use crate::domain::machine::Machine;
use pilotlight_types::{
    Mac, MachineId, Timestamp, TokenId,
    api::Event,
    resource::{Kind, Name},
};
use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    time,
};
use tokio_util::sync::CancellationToken;

/// One thing to write.
#[derive(Debug, Clone)]
pub enum Write {
    /// A new revision of a resource.
    Resource(RevisionRow),
    /// A resource that goes.
    NoResource(Kind, Name),
    /// The set of files that a resource was applied from.
    Source(Kind, Name, Name),
    /// That a resource is from no set of files.
    NoSource(Kind, Name),
    /// A machine.
    Machine(Box<Machine>),
    /// That a machine's agent was heard.
    Seen(MachineId, Timestamp),
    /// A machine that goes.
    NoMachine(MachineId),
    /// A machine that was only seen and turned out to be another one: it goes, and its boots are the other's.
    SameMachine {
        /// The one that goes.
        seen: MachineId,
        /// The one that it is.
        into: MachineId,
    },
    /// A lease.
    Lease(LeaseRow),
    /// A client's lease that ends.
    NoLease(Ipv4Addr, Mac),
    /// An IPv6 lease.
    Lease6(Lease6Row),
    /// An IPv6 lease that ends.
    NoLease6(Lease6Row),
    /// A boot.
    Boot(Box<BootRow>),
    /// A one-time token.
    BootToken(NewBootToken),
    /// The use of a one-time token.
    UseBootToken(TokenUse),
    /// That a one-time token, by its hash, ends later: its machine waits for something.
    KeepBootToken(String, Timestamp),
    /// What a machine was handed in a boot.
    Served(Box<ServedRow>),
    /// Something that a machine said while it booted.
    Console(Box<ConsoleRow>),
    /// An API token.
    Token(TokenRow),
    /// The use of an API token.
    TokenUse(TokenId, Timestamp),
    /// An API token that is no more.
    NoToken(TokenId),
    /// A local user.
    User(UserRow),
    /// When a local user signed in last; who is no more, is not written.
    UserSignedIn(String, Timestamp),
    /// A local user who is no more.
    NoUser(String),
    /// A browser that signed in.
    Session(SessionRow),
    /// The use of a session, by its hash.
    SessionUse(String, Timestamp),
    /// A session that is over, by its hash.
    NoSession(String),
    /// An event.
    Event(NewEvent),
    /// A row of the audit log.
    Audit(Box<AuditRow>),
    /// What webhooks are told.
    Webhook(Box<WebhookWrite>),
}

struct Job {
    writes: Vec<Write>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// Hands writes to the writer.
#[derive(Debug, Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    events: broadcast::Sender<Event>,
}

/// How many callers' writes go into one commit at the most.
const BATCH: usize = 512;

/// After a commit that held several callers' writes, the next waits so long for more. Nobody who asks that often notices it: firmware
/// asks again after seconds.
const GATHER: Duration = Duration::from_millis(4);

impl Writer {
    /// The writer's handle, and the writer's work, which somebody must run until it ends: when the last handle is gone, or when
    /// it is told to stop and has written what it was given before.
    pub fn new(db: Db, stop: CancellationToken) -> (Self, impl Future<Output = ()> + Send) {
        let (jobs, queue) = mpsc::channel(4 * BATCH);
        let (events, _) = broadcast::channel(4096);
        (Self { jobs, events: events.clone() }, run(db, queue, events, stop))
    }

    /// The same where there is no database: what is to be written is given to `keep`, one caller's at a time, and counts as durable
    /// when that says so. For rehearsals of what is done with the database, its failures included.
    pub fn kept_by<F>(mut keep: F) -> (Self, impl Future<Output = ()> + Send)
    where
        F: FnMut(Vec<Write>) -> Result<(), StoreError> + Send,
    {
        let (jobs, mut queue) = mpsc::channel::<Job>(4 * BATCH);
        let (events, _) = broadcast::channel(1);
        let work = async move {
            while let Some(Job { writes, done }) = queue.recv().await {
                // Whoever asked may be gone.
                drop(done.send(keep(writes)));
            }
        };
        (Self { jobs, events }, work)
    }

    /// Writes all of it or nothing, and returns when it is durable.
    pub async fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        if writes.is_empty() {
            return Ok(());
        }
        let (done, answer) = oneshot::channel();
        self.jobs.send(Job { writes, done }).await.map_err(|_| StoreError::Stopped)?;
        answer.await.map_err(|_| StoreError::Stopped)?
    }

    /// Writes it after everything before it, without waiting; says whether there was room for it.
    pub fn queue(&self, writes: Vec<Write>) -> bool {
        let (done, _) = oneshot::channel();
        writes.is_empty() || self.jobs.try_send(Job { writes, done }).is_ok()
    }

    /// Events from now on, each after it is durable.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

async fn run(
    db: Db,
    mut queue: mpsc::Receiver<Job>,
    events: broadcast::Sender<Event>,
    stop: CancellationToken,
) {
    let mut jobs = Vec::with_capacity(BATCH);
    while next(&mut queue, &mut jobs, &stop).await > 0 {
        let busy = jobs.len() > 1;
        let all: Vec<&[Write]> = jobs.iter().map(|job| job.writes.as_slice()).collect();
        match transaction::commit(&db, &all).await {
            Ok(written) => {
                publish(&events, written);
                jobs.drain(..).for_each(|job| job.answer(Ok(())));
            }
            Err(error) if error.is_of_one() && jobs.len() > 1 => {
                // One of several is refused, and took the others with it: each for itself, then.
                for job in jobs.drain(..) {
                    let result = transaction::commit(&db, &[job.writes.as_slice()]).await;
                    job.answer(result.map(|written| publish(&events, written)));
                }
            }
            Err(error) => {
                let why = crate::errors::chain(&error);
                let last = jobs.pop();
                jobs.drain(..).for_each(|job| job.answer(Err(StoreError::Lost { why: why.clone() })));
                if let Some(job) = last {
                    job.answer(Err(error));
                }
            }
        }
        if busy && !stop.is_cancelled() {
            time::sleep(GATHER).await;
        }
    }
}

/// Takes the next jobs; none when there will be no more. Whoever still holds a handle after the stop is not waited for.
async fn next(queue: &mut mpsc::Receiver<Job>, jobs: &mut Vec<Job>, stop: &CancellationToken) -> usize {
    tokio::select! {
        biased;
        count = queue.recv_many(jobs, BATCH) => return count,
        () = stop.cancelled() => queue.close(),
    }
    queue.recv_many(jobs, BATCH).await
}

impl Job {
    /// Tells the caller; where nobody waits, a failure is at least in the log.
    fn answer(self, result: Result<(), StoreError>) {
        if let Err(Err(error)) = self.done.send(result) {
            tracing::error!("an observation was not written down: {}", crate::errors::chain(&error));
        }
    }
}

fn publish(events: &broadcast::Sender<Event>, written: Vec<Event>) {
    for event in written {
        // Nobody listening is no failure.
        drop(events.send(event));
    }
}
