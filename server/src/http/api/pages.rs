//! Pages of lists that are filtered after they were read: read on until one is full, for a while.
use crate::{http::problem::Failure, service::StoreError};

/// How many rows are read at once.
const ROWS: usize = 500;

/// How many rows are looked at for one page: of what is rare, a page may have little, and a `next` all the same.
const MOST_ROWS: usize = 10_000;

/// Up to `limit` of what is meant behind a place, and the place behind the last row that was looked at, if there may be more.
pub(super) async fn fill<T, P, Reading>(
    limit: usize,
    from: P,
    read: impl Fn(P, i64) -> Reading,
    place: impl Fn(&T) -> P,
    meant: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, Option<P>), Failure>
where
    P: Copy,
    Reading: Future<Output = Result<Vec<T>, StoreError>>,
{
    let (mut items, mut at, mut looked) = (Vec::new(), from, 0);
    loop {
        let rows = read(at, i64::try_from(ROWS).unwrap_or(i64::MAX)).await?;
        let last = rows.len() < ROWS;
        for row in rows {
            at = place(&row);
            looked += 1;
            if meant(&row) {
                items.push(row);
            }
            if items.len() >= limit {
                return Ok((items, Some(at)));
            }
        }
        if last {
            return Ok((items, None));
        }
        if looked >= MOST_ROWS {
            return Ok((items, Some(at)));
        }
    }
}
