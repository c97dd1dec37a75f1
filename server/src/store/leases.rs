//! Leases that clients were told they have.
use super::{StoreError, Tx, codec, db::on};
use crate::domain::lease::Lease;
use pilotlight_types::{Mac, Timestamp, resource::Name};
use std::net::Ipv4Addr;

/// A lease of a subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// The subnet.
    pub subnet: Name,
    /// The lease.
    pub lease: Lease,
}

impl Tx {
    /// Every lease, those that have ended included.
    pub async fn leases(&mut self) -> Result<Vec<LeaseRow>, StoreError> {
        let rows: Vec<(String, Option<String>, String, i64)> = on!(self, conn =>
            sqlx::query_as("SELECT ip, mac, subnet, expires FROM lease").fetch_all(conn).await)
        .map_err(StoreError::backend("reading leases"))?;
        rows.into_iter()
            .map(|(ip, mac, subnet, expires)| {
                let mac = mac.map(|mac| codec::parsed::<Mac>("MAC", &mac)).transpose()?;
                let ip = codec::parsed("address", &ip)?;
                // Who is a declared machine is in the inventory.
                let expires = Timestamp::from_micros(expires);
                let lease = Lease { ip, mac, expires, bound: true, declared: false };
                Ok(LeaseRow { subnet: codec::parsed("subnet name", &subnet)?, lease })
            })
            .collect()
    }

    /// Writes a lease; the client's other leases on that subnet end.
    pub(super) async fn put_lease(&mut self, row: &LeaseRow) -> Result<(), StoreError> {
        let LeaseRow { subnet, lease } = row;
        let (ip, mac) = (lease.ip.to_string(), lease.mac.map(|mac| mac.to_string()));
        if let Some(mac) = &mac {
            on!(self, conn => sqlx::query("DELETE FROM lease WHERE mac = $1 AND subnet = $2 AND ip <> $3")
                .bind(mac).bind(subnet.as_str()).bind(&ip).execute(conn).await.map(drop))
            .map_err(StoreError::backend("ending a client's former lease"))?;
        }
        on!(self, conn => sqlx::query(
            "INSERT INTO lease (ip, mac, subnet, expires) VALUES ($1, $2, $3, $4) ON CONFLICT (ip) DO UPDATE SET \
             mac = excluded.mac, subnet = excluded.subnet, expires = excluded.expires")
            .bind(&ip).bind(&mac).bind(subnet.as_str()).bind(lease.expires.micros()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("writing a lease"))
    }

    /// Ends a client's lease, unless somebody else has the address by now.
    pub(super) async fn delete_lease(&mut self, ip: Ipv4Addr, mac: Mac) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("DELETE FROM lease WHERE ip = $1 AND mac = $2")
            .bind(ip.to_string()).bind(mac.to_string()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("ending a lease"))
    }
}
