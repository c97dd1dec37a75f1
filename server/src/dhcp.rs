//! DHCP: packets in, packets out (RFC 2131, RFC 2132, RFC 3046, PXE 2.1).
mod answer;
pub mod listener;
mod probe;
pub mod socket;
pub mod wire;

pub use answer::DhcpAnswers;
pub use probe::Probes;
