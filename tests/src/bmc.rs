//! BMCs to be switched by: OpenIPMI's simulator in front of a machine that is a file, and a Redfish service of our own that can have every
//! fault that the field has seen.

mod ipmi;
mod redfish;

pub use ipmi::Simulator;
pub use redfish::{Fault, Make, Redfish};
