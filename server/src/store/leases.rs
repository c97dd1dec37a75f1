//! Leases that clients were told they have.
use super::{StoreError, Tx, codec, db::on};
use crate::domain::lease::Lease;
use pilotlight_types::{Mac, Timestamp, resource::Name};
use serde::Serialize;
use sqlx::AssertSqlSafe;
use std::net::Ipv4Addr;

/// A lease of a subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// The subnet.
    pub subnet: Name,
    /// The lease.
    pub lease: Lease,
}

#[derive(Serialize)]
struct Columns<'a> {
    ip: Ipv4Addr,
    mac: Option<Mac>,
    subnet: &'a str,
    expires: i64,
}

impl<'a> From<&'a LeaseRow> for Columns<'a> {
    fn from(LeaseRow { subnet, lease }: &'a LeaseRow) -> Self {
        Self { ip: lease.ip, mac: lease.mac, subnet: subnet.as_str(), expires: lease.expires.micros() }
    }
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

    /// Writes leases, each of another address.
    pub(super) async fn put_leases(&mut self, rows: &[&LeaseRow]) -> Result<(), StoreError> {
        let rows: Vec<Columns<'_>> = rows.iter().map(|row| Columns::from(*row)).collect();
        let json = codec::to_json("leases", &rows)?;
        let new = self.rows("ip text, mac text, subnet text, expires bigint");
        let insert = format!(
            "INSERT INTO lease (ip, mac, subnet, expires) SELECT ip, mac, subnet, expires FROM {new} WHERE true \
             ON CONFLICT (ip) DO UPDATE SET mac = excluded.mac, subnet = excluded.subnet, expires = excluded.expires"
        );
        on!(self, conn => sqlx::query(AssertSqlSafe(insert)).bind(&json).execute(conn).await.map(drop))
            .map_err(StoreError::backend("writing leases"))
    }

    /// Ends a client's lease, unless somebody else has the address by now.
    pub(super) async fn delete_lease(&mut self, ip: Ipv4Addr, mac: Mac) -> Result<(), StoreError> {
        on!(self, conn => sqlx::query("DELETE FROM lease WHERE ip = $1 AND mac = $2")
            .bind(ip.to_string()).bind(mac.to_string()).execute(conn).await.map(drop))
        .map_err(StoreError::backend("ending a lease"))
    }
}
