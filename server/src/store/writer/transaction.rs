//! What several callers want written, in one transaction and few statements: each statement is a way to the database and back.
use super::Write;
use crate::store::{AuditRow, BootRow, Db, LeaseRow, NewEvent, ServedRow, StoreError, Tx};
use pilotlight_types::{BootId, api::Event, resource::Kind};
use std::collections::HashMap;

/// Writes all of it or nothing; returns the events, in their order.
pub(super) async fn commit(db: &Db, jobs: &[&[Write]]) -> Result<Vec<Event>, StoreError> {
    let mut tx = db.write().await?;
    let mut many = Many::new(jobs);
    for writes in jobs {
        // MACs may go from one machine of these to another, whichever is written first.
        for write in *writes {
            if let Write::Machine(machine) = write
                && machine.version > 1
                && writes.len() > 1
            {
                tx.free_macs(machine.id).await?;
            }
        }
        for write in *writes {
            many.take(&mut tx, write).await?;
        }
    }
    let events = many.put(&mut tx).await?;
    tx.commit().await?;
    Ok(events)
}

/// Rows of the kinds that come in great numbers, until they are written together.
struct Many<'a> {
    boots: Vec<&'a BootRow>,
    leases: Vec<&'a LeaseRow>,
    events: Vec<&'a NewEvent>,
    audits: Vec<&'a AuditRow>,
    served: Vec<&'a ServedRow>,
    /// The last row of each boot. A boot that goes on is written at each of its requests, so a commit may hold many of one.
    newest: HashMap<BootId, &'a BootRow>,
}

impl<'a> Many<'a> {
    fn new(jobs: &[&'a [Write]]) -> Self {
        let rows = jobs.iter().flat_map(|writes| writes.iter());
        let boots = rows.filter_map(|write| if let Write::Boot(row) = write { Some(&**row) } else { None });
        let newest = boots.map(|row| (row.boot.id, row)).collect();
        Self {
            boots: Vec::new(),
            leases: Vec::new(),
            events: Vec::new(),
            audits: Vec::new(),
            served: Vec::new(),
            newest,
        }
    }

    async fn take(&mut self, tx: &mut Tx, write: &'a Write) -> Result<(), StoreError> {
        let leases =
            matches!(write, Write::Lease(_) | Write::NoLease(..) | Write::Lease6(_) | Write::NoLease6(_));
        if !leases && !matches!(write, Write::Boot(_) | Write::Event(_) | Write::Audit(_) | Write::Served(_))
        {
            // It may belong to one of the boots, or be the end of their machine.
            self.put_boots(tx).await?;
        }
        match write {
            Write::Boot(row) => {
                self.boot(row);
                Ok(())
            }
            Write::Event(row) => {
                self.events.push(row);
                Ok(())
            }
            Write::Served(row) => {
                // Of two the last was handed out last, and a statement may not write one row twice.
                self.served.retain(|other| (other.boot, other.part) != (row.boot, row.part));
                self.served.push(row);
                Ok(())
            }
            Write::Audit(row) => {
                self.audits.push(row);
                Ok(())
            }
            Write::Lease(row) => self.lease(tx, row).await,
            Write::NoLease(ip, mac) => {
                self.put_leases(tx).await?;
                tx.delete_lease(*ip, *mac).await
            }
            Write::Lease6(row) => tx.put_lease6(row).await,
            Write::NoLease6(row) => tx.delete_lease6(&row.lease).await,
            Write::Resource(row) => {
                tx.put_resource(row).await?;
                // It is told of what happens from now on; and one whose receiver wanted no more is tried again.
                if row.resource.kind == Kind::Webhook {
                    tx.begin_webhook(&row.resource.name).await
                } else {
                    Ok(())
                }
            }
            Write::NoResource(kind, name) => {
                tx.delete_resource(*kind, name).await?;
                if *kind == Kind::Webhook { tx.end_webhook(name).await } else { Ok(()) }
            }
            Write::Source(kind, name, source) => tx.put_source(*kind, name, source).await,
            Write::NoSource(kind, name) => tx.delete_source(*kind, name).await,
            Write::Machine(row) => tx.put_machine(row).await,
            Write::Seen(id, at) => tx.touch_machine(*id, *at).await,
            Write::NoMachine(id) => tx.delete_machine(*id).await,
            Write::SameMachine { seen, into } => tx.merge_machine(*seen, *into).await,
            Write::BootToken(row) => tx.put_boot_token(row).await,
            Write::UseBootToken(row) => tx.use_boot_token(row).await,
            Write::KeepBootToken(hash, expires) => tx.keep_boot_token(hash, *expires).await,
            Write::Console(row) => tx.put_console(row).await,
            Write::Token(row) => tx.put_token(row).await,
            Write::TokenUse(id, at) => tx.use_token(*id, *at).await,
            Write::NoToken(id) => tx.delete_token(*id).await,
            Write::Webhook(write) => tx.write_webhook(write).await,
            Write::User(row) => tx.put_user(row).await,
            Write::UserSignedIn(name, at) => tx.see_user(name, *at).await,
            Write::NoUser(name) => tx.delete_user(name).await,
            Write::Session(row) => tx.put_session(row).await,
            Write::SessionUse(hash, at) => tx.see_session(hash, *at).await,
            Write::NoSession(hash) => tx.delete_session(hash).await,
        }
    }

    /// Nobody sees what is between two rows of one commit: the newest is written, in the place of the first.
    fn boot(&mut self, row: &BootRow) {
        self.boots.extend(self.newest.remove(&row.boot.id));
    }

    /// A statement may not write one row twice.
    async fn lease(&mut self, tx: &mut Tx, row: &'a LeaseRow) -> Result<(), StoreError> {
        if self.leases.iter().any(|other| other.lease.ip == row.lease.ip) {
            self.put_leases(tx).await?;
        }
        self.leases.push(row);
        Ok(())
    }

    async fn put_leases(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        match std::mem::take(&mut self.leases) {
            none if none.is_empty() => Ok(()),
            leases => tx.put_leases(&leases).await,
        }
    }

    async fn put_boots(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        match std::mem::take(&mut self.boots) {
            none if none.is_empty() => Ok(()),
            boots => tx.put_boots(&boots).await,
        }
    }

    async fn put(mut self, tx: &mut Tx) -> Result<Vec<Event>, StoreError> {
        if !self.audits.is_empty() {
            tx.put_audits(&self.audits).await?;
        }
        self.put_boots(tx).await?;
        self.put_leases(tx).await?;
        if !self.served.is_empty() {
            tx.put_served(&self.served).await?;
        }
        match self.events {
            none if none.is_empty() => Ok(Vec::new()),
            events => tx.put_events(&events).await,
        }
    }
}
