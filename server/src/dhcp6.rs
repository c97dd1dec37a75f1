//! DHCPv6: packets in, packets out (RFC 8415, RFC 5970, RFC 6939).
mod answer;
pub mod listener;
pub mod socket;
pub mod wire;

pub use answer::Dhcp6Answers;
