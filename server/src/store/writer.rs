//! The one writer: everything that is written waits here a moment, and is committed together.
//!
//! A commit costs a disk flush however much is in it, so what comes while one is under way goes with the next. Each caller is
//! answered after the commit that holds its writes: what was acknowledged is durable. Callers' writes are atomic: all or none.
use super::{
    AuditRow, BootRow, Db, LeaseRow, NewBootToken, NewEvent, RevisionRow, StoreError, TokenRow, TokenUse, Tx,
};
use crate::domain::machine::Machine;
use pilotlight_types::{
    MachineId, Timestamp,
    api::Event,
    resource::{Kind, Name},
};
use std::net::Ipv4Addr;
use tokio::sync::{broadcast, mpsc, oneshot};

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
    /// A lease that ends.
    NoLease(Ipv4Addr),
    /// A boot.
    Boot(Box<BootRow>),
    /// A one-time token.
    BootToken(NewBootToken),
    /// The use of a one-time token.
    UseBootToken(TokenUse),
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
    /// The writer's handle, and the writer's work, which somebody must run until it ends: when the last handle is gone.
    pub fn new(db: Db) -> (Self, impl Future<Output = ()> + Send) {
        let (jobs, queue) = mpsc::channel(4 * BATCH);
        let (events, _) = broadcast::channel(4096);
        (Self { jobs, events: events.clone() }, run(db, queue, events))
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

async fn run(db: Db, mut queue: mpsc::Receiver<Job>, events: broadcast::Sender<Event>) {
    let mut jobs = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut jobs, BATCH).await > 0 {
        let all: Vec<&[Write]> = jobs.iter().map(|job| job.writes.as_slice()).collect();
        match commit(&db, all).await {
            Ok(written) => {
                publish(&events, written);
                jobs.drain(..).for_each(|job| drop(job.done.send(Ok(()))));
            }
            Err(StoreError::Conflict { .. }) if jobs.len() > 1 => {
                // One of several is refused, and took the others with it: each for itself, then.
                for job in jobs.drain(..) {
                    let result = commit(&db, vec![job.writes.as_slice()]).await;
                    drop(job.done.send(result.map(|written| publish(&events, written))));
                }
            }
            Err(error) => {
                let why = crate::errors::chain(&error);
                let last = jobs.pop();
                jobs.drain(..)
                    .for_each(|job| drop(job.done.send(Err(StoreError::Lost { why: why.clone() }))));
                if let Some(job) = last {
                    drop(job.done.send(Err(error)));
                }
            }
        }
    }
}

fn publish(events: &broadcast::Sender<Event>, written: Vec<Event>) {
    for event in written {
        // Nobody listening is no failure.
        drop(events.send(event));
    }
}

async fn commit(db: &Db, jobs: Vec<&[Write]>) -> Result<Vec<Event>, StoreError> {
    let mut tx = db.write().await?;
    let mut events = Vec::new();
    for write in jobs.into_iter().flatten() {
        apply(&mut tx, write, &mut events).await?;
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
        Write::NoLease(ip) => tx.delete_lease(*ip).await,
        Write::Boot(row) => tx.put_boot(row).await,
        Write::BootToken(row) => tx.put_boot_token(row).await,
        Write::UseBootToken(row) => tx.use_boot_token(row).await,
        Write::Token(row) => tx.put_token(row).await,
        Write::Event(row) => {
            events.push(tx.put_event(row).await?);
            Ok(())
        }
        Write::Audit(row) => tx.put_audit(row).await,
    }
}
