//! The one writer: everything that is written waits here a moment, and is committed together.
//!
//! A commit costs a disk flush however much is in it, so what comes while one is under way goes with the next. Each caller is
//! answered after the commit that holds its writes: what was acknowledged is durable. Callers' writes are atomic: all or none.
use super::{
    AuditRow, BootRow, ConsoleRow, Db, LeaseRow, NewBootToken, NewEvent, RevisionRow, StoreError, TokenRow,
    TokenUse, Tx,
};
use crate::domain::machine::Machine;
use pilotlight_types::{
    BootId, Mac, MachineId, Timestamp,
    api::Event,
    resource::{Kind, Name},
};
use std::{collections::HashMap, net::Ipv4Addr};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// One thing to write.
#[derive(Debug, Clone)]
pub enum Write {
    /// A new revision of a resource.
    Resource(RevisionRow),
    /// A resource that goes.
    NoResource(Kind, Name),
    /// A machine.
    Machine(Box<Machine>),
    /// That a machine's agent was heard.
    Seen(MachineId, Timestamp),
    /// A machine that goes.
    NoMachine(MachineId),
    /// A lease.
    Lease(LeaseRow),
    /// A client's lease that ends.
    NoLease(Ipv4Addr, Mac),
    /// A boot.
    Boot(Box<BootRow>),
    /// A one-time token.
    BootToken(NewBootToken),
    /// The use of a one-time token.
    UseBootToken(TokenUse),
    /// Something that a machine said while it booted.
    Console(Box<ConsoleRow>),
    /// An API token.
    Token(TokenRow),
    /// An event.
    Event(NewEvent),
    /// A row of the audit log.
    Audit(Box<AuditRow>),
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

impl Writer {
    /// The writer's handle, and the writer's work, which somebody must run until it ends: when the last handle is gone, or when
    /// it is told to stop and has written what it was given before.
    pub fn new(db: Db, stop: CancellationToken) -> (Self, impl Future<Output = ()> + Send) {
        let (jobs, queue) = mpsc::channel(4 * BATCH);
        let (events, _) = broadcast::channel(4096);
        (Self { jobs, events: events.clone() }, run(db, queue, events, stop))
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
        let all: Vec<&[Write]> = jobs.iter().map(|job| job.writes.as_slice()).collect();
        match commit(&db, all).await {
            Ok(written) => {
                publish(&events, written);
                jobs.drain(..).for_each(|job| job.answer(Ok(())));
            }
            Err(error) if error.is_of_one() && jobs.len() > 1 => {
                // One of several is refused, and took the others with it: each for itself, then.
                for job in jobs.drain(..) {
                    let result = commit(&db, vec![job.writes.as_slice()]).await;
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

/// The last row of each boot. A boot that goes on is written at each of its requests, so a commit may hold many of one.
fn newest_boots<'a>(jobs: &[&'a [Write]]) -> HashMap<BootId, &'a BootRow> {
    let rows = jobs.iter().flat_map(|writes| writes.iter());
    rows.filter_map(|write| if let Write::Boot(row) = write { Some((row.boot.id, &**row)) } else { None })
        .collect()
}

async fn commit(db: &Db, jobs: Vec<&[Write]>) -> Result<Vec<Event>, StoreError> {
    let mut tx = db.write().await?;
    let mut events = Vec::new();
    let mut boots = newest_boots(&jobs);
    for writes in jobs {
        // MACs may go from one machine of these to another, whichever is written first.
        for write in writes {
            if let Write::Machine(machine) = write
                && machine.version > 1
                && writes.len() > 1
            {
                tx.free_macs(machine.id).await?;
            }
        }
        for write in writes {
            match write {
                // Nobody sees what is between two rows of one commit: the newest is written, in the place of the first.
                Write::Boot(row) => {
                    if let Some(newest) = boots.remove(&row.boot.id) {
                        tx.put_boot(newest).await?;
                    }
                }
                write => apply(&mut tx, write, &mut events).await?,
            }
        }
    }
    tx.commit().await?;
    Ok(events)
}

async fn apply(tx: &mut Tx, write: &Write, events: &mut Vec<Event>) -> Result<(), StoreError> {
    match write {
        Write::Resource(row) => tx.put_resource(row).await,
        Write::NoResource(kind, name) => tx.delete_resource(*kind, name).await,
        Write::Machine(row) => tx.put_machine(row).await,
        Write::Seen(id, at) => tx.touch_machine(*id, *at).await,
        Write::NoMachine(id) => tx.delete_machine(*id).await,
        Write::Lease(row) => tx.put_lease(row).await,
        Write::NoLease(ip, mac) => tx.delete_lease(*ip, *mac).await,
        Write::Boot(row) => tx.put_boot(row).await,
        Write::BootToken(row) => tx.put_boot_token(row).await,
        Write::UseBootToken(row) => tx.use_boot_token(row).await,
        Write::Console(row) => tx.put_console(row).await,
        Write::Token(row) => tx.put_token(row).await,
        Write::Event(row) => {
            events.push(tx.put_event(row).await?);
            Ok(())
        }
        Write::Audit(row) => tx.put_audit(row).await,
    }
}
