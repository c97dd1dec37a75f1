//! What asks the servers: many clients in one thread, over epoll, so that the server is what is measured.

mod http;
mod tftp;

pub use http::{Get, HttpResult, http};
pub use tftp::{Fetch, TftpResult, tftp};
