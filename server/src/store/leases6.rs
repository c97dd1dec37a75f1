//! IPv6 leases that clients were told they have.
use super::{StoreError, Tx, codec, db::on};
use crate::domain::lease6::{Holder, Lease6};
use pilotlight_types::{Timestamp, resource::Name};

/// An IPv6 lease of a subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease6Row {
    /// The subnet.
    pub subnet: Name,
    /// The lease.
    pub lease: Lease6,
}

impl Tx {
    /// Every IPv6 lease, those that have ended included.
    pub async fn leases6(&mut self) -> Result<Vec<Lease6Row>, StoreError> {
        let rows: Vec<(String, Option<String>, String, i64)> = on!(self, conn =>
            sqlx::query_as("SELECT ip, holder, subnet, expires FROM lease6").fetch_all(conn).await)
        .map_err(StoreError::backend("reading IPv6 leases"))?;
        rows.into_iter()
            .map(|(ip, holder, subnet, expires)| {
                let holder = holder.map(|holder| codec::parsed::<Holder>("holder", &holder)).transpose()?;
                let ip = codec::parsed("IPv6 address", &ip)?;
                let expires = Timestamp::from_micros(expires);
                // Who is a declared machine is in the inventory.
                let lease = Lease6 { ip, holder, expires, bound: true, declared: false };
                Ok(Lease6Row { subnet: codec::parsed("subnet name", &subnet)?, lease })
            })
            .collect()
    }

    /// Writes a lease; the holder's other leases on that subnet end.
    pub(super) async fn put_lease6(&mut self, row: &Lease6Row) -> Result<(), StoreError> {
        let Lease6Row { subnet, lease } = row;
        let (ip, holder) = (lease.ip.to_string(), lease.holder.as_ref().map(ToString::to_string));
        if let Some(holder) = &holder {
            on!(self, conn => sqlx::query("DELETE FROM lease6 WHERE holder = $1 AND subnet = $2 AND ip <> $3")
                .bind(holder).bind(subnet.as_str()).bind(&ip).execute(conn).await.map(drop))
            .map_err(StoreError::backend("ending a client's former IPv6 lease"))?;
        }
        on!(self, conn => sqlx::query(
            "INSERT INTO lease6 (ip, holder, subnet, expires) VALUES ($1, $2, $3, $4) ON CONFLICT (ip) DO UPDATE SET \
             holder = excluded.holder, subnet = excluded.subnet, expires = excluded.expires")
            .bind(&ip).bind(&holder).bind(subnet.as_str()).bind(lease.expires.micros()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing an IPv6 lease"))
    }

    /// Forgets a lease, unless it is another by now.
    pub(super) async fn delete_lease6(&mut self, lease: &Lease6) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("DELETE FROM lease6 WHERE ip = $1 AND expires = $2")
            .bind(lease.ip.to_string()).bind(lease.expires.micros()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("forgetting an IPv6 lease"))
    }
}
